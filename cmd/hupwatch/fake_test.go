package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake answers on a control socket what files in its directory say: GET
// /v1/services/web/logs what services.web.logs has, and POST /v1/reload what
// reload has. In them NOW and NOW+30s are times, and a line may be an instruction:
//
//	!status 409   the status of the answer, before any other line
//	!pause 500ms  waits that long
//	!await NAME   waits until there is a file of that name
//	!hang         waits until the client goes away
//	!cut          breaks the connection
//
// What was asked for it writes down in the file requests.
type fake struct {
	dir string
	mu  sync.Mutex // guards the file of requests
}

// serveFake serves until the listener is closed.
func serveFake(l net.Listener, dir string) {
	server := &http.Server{Handler: &fake{dir: dir}}
	_ = server.Serve(l)
	_ = server.Close()
}

// startFake serves on run/control.sock below the directory until the test ends.
func startFake(dir string, cleanup func(func())) error {
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o711); err != nil {
		return err
	}
	l, err := net.Listen("unix", filepath.Join(dir, "run", "control.sock"))
	if err != nil {
		return err
	}
	var done sync.WaitGroup
	done.Go(func() { serveFake(l, dir) })
	cleanup(func() {
		l.Close()
		done.Wait()
	})
	return nil
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.note(r)
	name := strings.ReplaceAll(strings.TrimPrefix(r.URL.Path, "/v1/"), "/", ".")
	text, err := os.ReadFile(filepath.Join(f.dir, "answers", name))
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"error":"no such service: %s","reason":"unknown"}`, strings.Split(name+"..", ".")[1])
		return
	}
	for line := range strings.Lines(string(text)) {
		if instruction, ok := strings.CutPrefix(line, "!"); ok {
			f.follow(w, r, strings.Fields(instruction))
			continue
		}
		_, _ = w.Write([]byte(times(line)))
		_ = http.NewResponseController(w).Flush()
	}
}

func (f *fake) note(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	log, err := os.OpenFile(filepath.Join(f.dir, "requests"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer log.Close()
	fmt.Fprintf(log, "%s %s %s\n", r.Method, r.URL, body)
}

func (f *fake) follow(w http.ResponseWriter, r *http.Request, words []string) {
	gone := r.Context().Done()
	switch words[0] {
	case "status":
		var status int
		_, _ = fmt.Sscan(words[1], &status)
		w.WriteHeader(status)
	case "pause":
		d, _ := time.ParseDuration(words[1])
		select {
		case <-time.After(d):
		case <-gone:
		}
	case "await":
		for again := time.Tick(5 * time.Millisecond); ; {
			if _, err := os.Stat(filepath.Join(f.dir, words[1])); err == nil {
				return
			}
			select {
			case <-again:
			case <-gone:
				return
			}
		}
	case "hang":
		<-gone
	case "cut":
		panic(http.ErrAbortHandler)
	}
}

// times puts in the times.
func times(line string) string {
	now := time.Now()
	for {
		before, rest, found := strings.Cut(line, `"NOW`)
		if !found {
			return line
		}
		offset, after, _ := strings.Cut(rest, `"`)
		d, _ := time.ParseDuration(strings.TrimPrefix(offset, "+"))
		line = before + `"` + now.Add(d).Format("2006-01-02T15:04:05.000Z07:00") + `"` + after
	}
}

// asFake makes the test binary a fake in this directory until its input ends, to
// look at the commands by hand.
const asFake = "TEST_AS_FAKE"

func beFake(dir string) {
	var cleanups []func()
	if err := startFake(dir, func(f func()) { cleanups = append(cleanups, f) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
	for _, cleanup := range cleanups {
		cleanup()
	}
	os.Exit(0)
}

func TestTheTimesOfTheFake(t *testing.T) {
	t.Parallel()
	line := times(`{"at":"NOW","until":"NOW+1h","since":"NOW-1h"}`)
	if strings.Contains(line, "NOW") || strings.Count(line, `"`) != 12 {
		t.Error(line)
	}
}
