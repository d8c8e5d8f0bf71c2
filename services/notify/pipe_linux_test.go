package notify_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/notify"
)

// generation is who has the other end of a pipe.
type generation struct {
	*notify.Pipe
	heard chan bool
	fd    int
}

func openPipe(t testing.TB, s *notify.Server) *generation {
	t.Helper()
	g := &generation{heard: make(chan bool, 2)}
	var err error
	if g.Pipe, err = s.Pipe(nil, func(ready bool) { g.heard <- ready }); err != nil {
		t.Fatal(err)
	}
	if g.fd, err = unix.FcntlInt(uintptr(g.WriteEnd()), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	g.Forked()
	return g
}

func (g *generation) write(t testing.TB, text string) {
	t.Helper()
	for rest := []byte(text); len(rest) > 0; {
		n, err := unix.Write(g.fd, rest)
		if err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
		rest = rest[max(n, 0):]
	}
}

func TestNewlineSaysReady(t *testing.T) {
	s := newServer(t)
	for name, text := range map[string]string{
		"alone": "\n", "after a word": "ready\n", "after zeros": "\x00\x00\n", "in between": "a\nb", "after a lot": strings.Repeat("x", 1<<20) + "\n",
	} {
		g := openPipe(t, s)
		g.write(t, text)
		if !soon(t, g.heard, name+": nothing was heard") {
			t.Errorf("%s: not ready", name)
		}
		g.write(t, strings.Repeat("again\n", 1<<16)) // neither stalls nor kills
		unix.Close(g.fd)
		g.Close()
		if len(g.heard) > 0 {
			t.Errorf("%s: heard twice", name)
		}
	}
}

// The exit of a process could be told before what it had said.
func TestWhatWasWrittenBeforeAnEndIsKnownAtOnce(t *testing.T) {
	s := newServer(t)
	for range 100 {
		g := openPipe(t, s)
		if g.CatchUp() {
			t.Fatal("it is ready, and has written nothing")
		}
		g.write(t, strings.Repeat("x", 50000)+"\n")
		unix.Close(g.fd)
		for range 2 { // asked again it says the same
			if !g.CatchUp() {
				t.Fatal("it is not ready, and has written a newline")
			}
		}
		if !soon(t, g.heard, "nothing was heard") {
			t.Fatal("it is heard to have ended without a newline")
		}
		g.Close()
	}
}

func TestEndWithoutANewlineIsNotReady(t *testing.T) {
	s := newServer(t)
	for _, text := range []string{"", "ready", "\r"} {
		g := openPipe(t, s)
		g.write(t, text)
		if g.WriteEnd() != -1 {
			t.Error("hupwatch still has the end of the generation")
		}
		unix.Close(g.fd)
		if soon(t, g.heard, "nothing was heard") {
			t.Errorf("%q is ready", text)
		}
	}
}

func TestWriteEndIsClosedOnExec(t *testing.T) {
	p, err := newServer(t).Pipe(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(p.WriteEnd()), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v; want FD_CLOEXEC", flags, err)
	}
	if flags, err := unix.FcntlInt(uintptr(p.WriteEnd()), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags %#x, %v; want that it blocks", flags, err)
	}
}

func TestClosedPipeTellsNothing(t *testing.T) {
	s := newServer(t)
	g := openPipe(t, s)
	defer unix.Close(g.fd)
	g.Close()
	g.Close()
	if _, err := unix.Write(g.fd, []byte("\n")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("write to it: %v, want %v", err, unix.EPIPE)
	}
	s.Close()
	if len(g.heard) > 0 {
		t.Error("it was heard")
	}
}

func FuzzPipe(f *testing.F) {
	s := notify.New("")
	f.Cleanup(s.Close)
	f.Add([]byte("ready"), []byte("\n"))
	f.Add([]byte(""), []byte("\x00"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		g := openPipe(t, s)
		defer g.Close()
		g.write(t, string(first))
		g.write(t, string(second))
		unix.Close(g.fd)
		want := bytes.ContainsRune(first, '\n') || bytes.ContainsRune(second, '\n')
		if got := soon(t, g.heard, "nothing was heard"); got != want {
			t.Errorf("%q and %q: ready is %v, want %v", first, second, got, want)
		}
	})
}
