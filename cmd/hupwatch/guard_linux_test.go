package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// caller connects to an address again and again.
type caller struct {
	t    *testing.T
	stop chan struct{}
	done chan struct{}
	// What there is to tell once it is done.
	answers map[string]int
	missing int // nobody was there
	failed  []error
}

// calling starts one.
func calling(t *testing.T, ask func() (string, error)) *caller {
	c := &caller{t: t, stop: make(chan struct{}), done: make(chan struct{}), answers: make(map[string]int)}
	go func() { // ends with result
		defer close(c.done)
		for again := time.Tick(5 * time.Millisecond); ; {
			select {
			case <-c.stop:
				return
			case <-again:
				c.note(ask())
			}
		}
	}()
	return c
}

func (c *caller) note(who string, err error) {
	switch {
	case err == nil:
		c.answers[who]++
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED): // it is bound and does not listen yet
		c.missing++
	default:
		c.failed = append(c.failed, err)
	}
}

// result ends it, and fails the test if it met more than few gaps, or something
// else than those.
func (c *caller) result(few int) {
	c.t.Helper()
	close(c.stop)
	<-c.done
	c.t.Logf("%v answered, and %d times nobody was there", c.answers, c.missing)
	if c.missing > few {
		c.t.Errorf("%d times nobody was there", c.missing)
	}
	for _, err := range c.failed {
		c.t.Errorf("a call met %v", err)
	}
}

// fewGaps is how often a caller, who asks every 5 ms, may find nothing each time that a
// path is removed. An idle host needs one; a busy one is given 2 s.
const fewGaps = 400

func TestAListeningPathThatTheOldOneRemovesComesBackAtOnce(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := dir + "/web"
	d := startDaemonIn(t, dir, quick+service("web", "listen 3; serve; remove "+path+"; say removed; gate g; finish; exit 0", fmt.Sprintf(`listen = ["unix://%s"]`, path)))
	d.up("web", 1)
	c := calling(t, func() (string, error) { return asks(path) })
	d.signal(syscall.SIGHUP)
	d.says("removed", "web", 1)
	d.sees("msg=socket put back", "service=web", "address="+path)
	for range 20 {
		answersOneOf(t, path, "web 1", "web 2") // the old one finishes its work, and has the socket too
	}
	d.open("g")
	d.sees("msg=generation exited", "generation=1")
	eventually(t, "the new one answers alone", func() bool { who, _ := asks(path); return who == "web 2" })
	c.result(fewGaps)
	d.open("g")
	d.ends(syscall.SIGTERM, soon)
	for _, left := range d.entries(".") {
		if strings.Contains(left, "hupwatch-") || left == "web" {
			t.Errorf("%s is left", left)
		}
	}
}

// met waits until it is this generation that answers at a path, and that alone.
func (d *daemon) met(path, who string) {
	d.t.Helper()
	eventually(d.t, who+" answers", func() bool { got, _ := asks(path); return got == who })
	for range 20 {
		answers(d.t, path, who)
	}
}

func answersOneOf(t *testing.T, path string, want ...string) {
	t.Helper()
	got, err := asks(path)
	if !slices.Contains(want, got) {
		t.Errorf("at %s answers %q, %v, want one of %q", path, got, err, want)
	}
}

// A cleaner removed the path of a socket outside of any reload, and nobody could connect
// until the next one.
func TestPathThatACleanerRemovesIsPutBackAtOnce(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := filepath.Join(dir, "sockets", "web.sock")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	d := startDaemonIn(t, dir, quick+service("web", "listen 3; serve", fmt.Sprintf(`listen = ["unix://%s"]`, path)))
	d.up("web", 1)
	answers(t, path, "web 1")
	for range 2 {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is put back", func() bool { _, err := os.Lstat(path); return err == nil })
		answers(t, path, "web 1")
	}
	d.sees("msg=socket put back", "address="+path)
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	d.sees("msg=generation exited", "generation=1")
	answers(t, path, "web 2")

	// With its directory nothing is left to put it back by.
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	wants(t, d.sees("msg=trouble", "service=web")["err"], path, "reload the service")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP)
	d.up("web", 3)
	answers(t, path, "web 3")
	d.ends(syscall.SIGTERM, soon)
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

func TestATCPListenerThatTheOldOneShutsDownListensAgain(t *testing.T) {
	t.Parallel()
	address := loopback()
	d := startDaemon(t, quick+service("web", "listen 3; serve; shutdown 3; say shut; gate g; exit 0", fmt.Sprintf(`listen = ["tcp://%s"]`, address)))
	d.up("web", 1)
	d.configure(quick + service("web", "listen 3; serve", fmt.Sprintf(`listen = ["tcp://%s"]`, address)))
	d.signal(syscall.SIGHUP)
	d.says("shut", "web", 1)
	d.sees("msg=socket put back", "service=web", "address=tcp "+address)
	eventually(t, "somebody listens", func() bool { _, err := asksTCP(address); return err == nil })
	d.open("g")
	d.sees("msg=generation exited", "generation=1")
	if who, err := asksTCP(address); who != "web 2" {
		t.Errorf("%q answers, %v", who, err)
	}
}

// own is a service that opens a path itself, and another one that tells that it is
// ready.
func own(path, script string, keys ...string) string {
	return service("web", "listen "+path+"; say open; "+script, keys...)
}

func TestAPathThatTheServerOpensItselfSurvivesTheEndOfTheOldOne(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := dir + "/web"
	d := startDaemonIn(t, dir, quick+own(path, "serve; remove "+path+"; say removed; gate g; finish; exit 0"))
	d.up("web", 1)
	c := calling(t, func() (string, error) { return asks(path) })
	d.signal(syscall.SIGHUP)
	d.says("removed", "web", 1)
	told := d.sees("msg=socket put back", "service=web", "address="+path)
	wants(t, told["reason"], "listen, or use publish")
	d.met(path, "web 2")
	d.open("g")
	d.sees("msg=generation exited", "generation=1")
	answers(t, path, "web 2")
	c.result(2 * fewGaps) // its start removes it too
	d.open("g")
}

func TestClientsDoNotMeetAnUnprovenServerAtItsOwnPath(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := dir + "/web"
	d := startDaemonIn(t, dir, quick+own(path, "serve; finish"))
	pid := d.up("web", 1)
	c := calling(t, func() (string, error) { return asks(path) })
	d.configure(quick + own(path, "gate die; finish; exit 8", failing))
	d.signal(syscall.SIGHUP)
	d.says("open", "web", 2)
	d.met(path, "web 1")
	d.open("die")
	wants(t, d.sees("msg=reload ended", "result=kept_old")["err"], "exited with status 8")
	answers(t, path, "web 1")
	d.configure(quick + own(path, "remove "+path+"; gate die; finish; exit 8", failing)) // as it ends, it takes the path away
	d.signal(syscall.SIGHUP)
	d.says("open", "web", 3)
	d.open("die")
	d.sees("msg=reload ended", "reload=2", "result=kept_old")
	d.met(path, "web 1")
	c.result(4 * fewGaps)
	if d.status("web").PID != pid {
		t.Errorf("the old one is not what it was")
	}
	for _, left := range d.entries(".") {
		if strings.Contains(left, "hupwatch-") {
			t.Errorf("%s is left", left)
		}
	}
}

func TestAPathOfTheOldGenerationAloneIsNotPutBack(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := dir + "/web-${HUPWATCH_GENERATION}"
	d := startDaemonIn(t, dir, quick+own(path, "serve; remove "+path+"; say removed; gate g; exit 0", fmt.Sprintf(`ready = { unix = %q }`, path)))
	for generation := 1; generation <= 3; generation++ {
		d.up("web", generation)
		if generation > 1 {
			before := strconv.Itoa(generation - 1)
			d.says("removed", "web", generation-1)
			d.open("g")
			d.sees("msg=generation exited", "generation="+before)
			absent(t, dir+"/web-"+before)
		}
		answers(t, dir+"/web-"+strconv.Itoa(generation), "web "+strconv.Itoa(generation))
		d.signal(syscall.SIGHUP)
	}
	d.sees("msg=stop signal sent", "generation=3")
	d.openFor(2, "g")
	if back := d.all("msg=socket put back"); len(back) > 0 {
		t.Errorf("what nobody listens at was put back: %v", back)
	}
}

func TestALinkThatIsTakenAwayInTheDrainComesBack(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+published(dir, "serve; remove "+dir+"/web; say removed; gate g; finish; exit 0", `overlap = 0`))
	d.up("web", 1)
	c := calling(t, func() (string, error) { return asks(dir + "/web") })
	d.signal(syscall.SIGHUP)
	d.says("removed", "web", 1)
	d.sees("msg=socket put back", "service=web", "address="+dir+"/web")
	answers(t, dir+"/web", "web 2")
	d.open("g")
	d.sees("msg=generation exited", "generation=1")
	answers(t, dir+"/web", "web 2")
	c.result(fewGaps)
	d.open("g")
}
