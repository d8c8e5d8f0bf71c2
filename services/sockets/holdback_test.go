package sockets_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"hupwatch/services/sockets"
)

// server is what opens a path itself: it removes what is there first, as gunicorn
// does, and the path when it ends, whoever's that is.
type server struct {
	name string
	*net.UnixListener
}

func openItself(t *testing.T, path, name string) *server {
	t.Helper()
	_ = os.Remove(path)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	s := &server{name, l}
	go func() { // ends with Close
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(name))
			c.Close()
		}
	}()
	return s
}

// wantAnswer checks who answers at a path; empty is nobody.
func wantAnswer(t *testing.T, path, want string) {
	t.Helper()
	got := ""
	if c, err := net.Dial("unix", path); err == nil {
		buffer := make([]byte, 16)
		n, _ := c.Read(buffer)
		got = string(buffer[:n])
		c.Close()
	}
	if got != want {
		t.Errorf("%q answers at %s, want %q", got, filepath.Base(path), want)
	}
}

func holdBackAt(t *testing.T, path string) *sockets.Holdback {
	t.Helper()
	var s sockets.Holdback
	if err := s.Start(nil, []string{path}, func() {}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return &s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestClientsMeetTheOldServerUntilTheNewOneIsShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.sock")
	openItself(t, path, "old")
	s := holdBackAt(t, path)
	openItself(t, path, "new")
	wantAnswer(t, path, "new") // nobody has looked yet
	must(t, s.Repair())
	wantAnswer(t, path, "old")
	must(t, s.Repair())
	wantAnswer(t, path, "old")

	must(t, s.Show())
	wantAnswer(t, path, "new")
	must(t, s.Repair())
	wantAnswer(t, path, "new")
	must(t, os.Remove(path)) // as the old one does when it ends
	must(t, s.Repair())
	wantAnswer(t, path, "new")
	s.Stop()
	wantAnswer(t, path, "new")
	wantOnly(t, path)
}

func TestAPlaceThatTheNewServerIsAboutToTakeIsLeftToIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.sock")
	openItself(t, path, "old")
	var s sockets.Holdback
	calls := make(chan struct{}, 10)
	must(t, s.Start(nil, []string{path}, func() { calls <- struct{}{} }))
	t.Cleanup(s.Stop)
	must(t, os.Remove(path))
	must(t, s.Repair())
	if _, err := os.Lstat(path); err == nil {
		t.Fatal("the place was taken before the new server could: it would not start")
	}
	openItself(t, path, "new")
	must(t, s.Repair())
	wantAnswer(t, path, "old")
	must(t, os.Remove(path)) // the new one ends again, or an older one
	must(t, s.Repair())
	<-calls
	must(t, s.Repair())
	wantAnswer(t, path, "old")
}

func TestRestorePutsBackTheSocketOfTheOldServer(t *testing.T) {
	for _, did := range []string{"nothing", "removed it", "opened its own"} {
		t.Run(did, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "web.sock")
			openItself(t, path, "old")
			s := holdBackAt(t, path)
			switch did {
			case "removed it":
				must(t, os.Remove(path))
			case "opened its own":
				openItself(t, path, "new").Close() // and died
				wantAnswer(t, path, "")
			}
			must(t, s.Restore())
			wantAnswer(t, path, "old")
			s.Stop()
			wantOnly(t, path)
		})
	}
}

func TestWhatIsShownBeforeItIsThereStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.sock")
	openItself(t, path, "old").Close()
	s := holdBackAt(t, path)
	must(t, s.Show()) // the old one has ended
	openItself(t, path, "new")
	must(t, s.Repair())
	wantAnswer(t, path, "new")
}

// wantOnly checks that nothing is beside the path.
func wantOnly(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside %s there is %v, %v", path, entries, err)
	}
}

func TestAPathThatTheNewServerDoesNotOpenIsKnown(t *testing.T) {
	dir := t.TempDir()
	opened, unopened := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	openItself(t, opened, "old")
	openItself(t, unopened, "old")
	var s sockets.Holdback
	must(t, s.Start(nil, []string{opened, unopened}, func() {}))
	t.Cleanup(s.Stop)
	openItself(t, opened, "new")
	for _, step := range []func() error{s.Repair, s.Show} {
		if got := s.Unopened(); len(got) != 1 || got[0] != unopened {
			t.Errorf("%q are not opened, want %q", got, unopened)
		}
		must(t, step())
	}
}
