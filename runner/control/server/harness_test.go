package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"hupwatch/runner/control"
	"hupwatch/runner/control/server"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// site is a server that runs, with a real socket.
type site struct {
	*server.Server
	daemon *fake
	socket string
	client *control.Client
	end    func()

	mu      sync.Mutex
	reports []string
}

func start(t testing.TB, f *fake, prepare ...func(*server.Server)) *site {
	t.Helper()
	s := &site{daemon: f, socket: filepath.Join(runtimeDir(t), "control.sock")}
	s.client = control.NewClient(s.socket)
	s.Server = server.New(s.socket, f, s.report)
	for _, p := range prepare {
		p(s.Server)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	s.end = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(s.end)
	await(t, "socket", func() bool {
		c, err := net.Dial("unix", s.socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if f.gid > 0 {
		await(t, "the group is admitted", func() bool {
			info, err := os.Stat(s.socket)
			return err == nil && info.Mode().Perm() == 0o660
		})
	}
	return s
}

// runtimeDir is a directory like the real one, with a path short enough.
func runtimeDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl") //nolint:usetesting // t.TempDir is too long for a socket, and private
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *site) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, err.Error())
}

func (s *site) reported(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(strings.Join(s.reports, "\n"), text)
}

// await waits for what no channel tells.
func await(t testing.TB, what string, happened func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !happened() {
		select {
		case <-look.C:
		case <-end.C:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// reply is what came back, as it came.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) refusal(t testing.TB) control.Error {
	t.Helper()
	var e control.Error
	if err := json.Unmarshal(r.body, &e); err != nil {
		t.Fatalf("%d %q is no refusal: %v", r.status, r.body, err)
	}
	return e
}

// raw asks without the client.
func raw(t testing.TB, socket, method, target, body string) reply {
	t.Helper()
	r, err := http.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport(socket).RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return reply{answer.StatusCode, answer.Header, text}
}

func transport(socket string) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
}

// connect opens a connection and says something.
func connect(t testing.TB, socket, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil && text != "" {
		t.Logf("write: %v", err)
	}
	return c
}

// next reads one event, which must be there.
func next(t testing.TB, e *control.Events) control.Event {
	t.Helper()
	event, err := e.Next()
	if err != nil {
		t.Fatalf("read the next event: %v", err)
	}
	return event
}

// all reads events to the end.
func all(t testing.TB, e *control.Events) []control.Event {
	t.Helper()
	defer e.Close()
	var events []control.Event
	for {
		event, err := e.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatalf("after %d events: %v", len(events), err)
		}
		events = append(events, event)
	}
}

func kinds(events []control.Event) string {
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, strings.TrimSpace(e.Service+" "+e.Kind))
	}
	return strings.Join(kinds, ", ")
}

// jsonOf shows a value as it would go over the wire.
func jsonOf(t testing.TB, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goroutines waits until there are no more of them than before.
func goroutines(t testing.TB, before int) {
	t.Helper()
	var stacks bytes.Buffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", stacks.Bytes())
		}
	})
	await(t, fmt.Sprintf("back to %d goroutines", before), func() bool {
		buffer := make([]byte, 1<<20)
		stacks.Reset()
		stacks.Write(buffer[:runtime.Stack(buffer, true)])
		return runtime.NumGoroutine() <= before
	})
}

// firstLine reads the first line that comes on a connection.
func firstLine(t testing.TB, c net.Conn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line)
}
