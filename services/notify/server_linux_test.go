package notify_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/notify"
	"hupwatch/services/process"
)

func TestServerMakesNothingBeforeItIsNeededAndLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	entries := func() int {
		all, err := os.ReadDir(tmp)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	s := notify.New("")
	if entries() != 0 {
		t.Error("there is a directory already")
	}
	e := open(t, s, "web", nil)
	newMouth(t, e.Path()).say(t, "READY=1")
	e.want(t, notify.Message{Ready: true})
	s.Close()
	s.Close()
	if entries() != 0 {
		t.Error("the directory is still there")
	}
	if _, err := s.Open("web", 2, nil, e.hear); !errors.Is(err, os.ErrClosed) {
		t.Errorf("open after close: %v, want %v", err, os.ErrClosed)
	}
	if _, err := s.Pipe(nil, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("pipe after close: %v, want %v", err, os.ErrClosed)
	}
}

func TestSocketIsItsUsersAlone(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root runs services as another user")
	}
	defer unix.Umask(unix.Umask(0o077))
	e := open(t, newServer(t), "web", &process.Credential{UID: 65534, GID: 65533})
	for path, want := range map[string]syscall.Stat_t{
		e.Path():               {Mode: syscall.S_IFSOCK | 0o600, Uid: 65534, Gid: 65533},
		filepath.Dir(e.Path()): {Mode: syscall.S_IFDIR | 0o711},
	} {
		var got syscall.Stat_t
		if err := syscall.Lstat(path, &got); err != nil {
			t.Fatal(err)
		}
		if got.Mode != want.Mode || got.Uid != want.Uid || got.Gid != want.Gid {
			t.Errorf("%s: mode %o, owner %d, %d; want %o, %d, %d", path, got.Mode, got.Uid, got.Gid, want.Mode, want.Uid, want.Gid)
		}
	}
}

func TestDirectoryThatWasRemovedIsMadeAgain(t *testing.T) {
	above := filepath.Join(t.TempDir(), "above")
	s := notify.New(filepath.Join(above, "notify"))
	s.Lost = func() error { return os.MkdirAll(above, 0o755) }
	defer s.Close()
	if err := s.Lost(); err != nil {
		t.Fatal(err)
	}
	for generation := 1; generation <= 2; generation++ {
		e := newEar()
		k, err := s.Open("web", generation, nil, e.hear)
		if err != nil {
			t.Fatal(err)
		}
		e.Socket = k
		newMouth(t, k.Path()).say(t, "READY=1")
		e.want(t, notify.Message{Ready: true})
		if err := os.RemoveAll(above); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryNameFitsIntoAPath(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, strings.Repeat("d", max(75-len(top), 1)))
	s := notify.New(dir)
	defer s.Close()
	long := strings.Repeat("x", 63)
	paths := make(map[string]bool)
	for _, service := range []string{"web", long + "y", long + "z", "a.1", "a"} {
		for _, generation := range []int{1, 1_000_000} {
			e := newEar()
			k, err := s.Open(service, generation, nil, e.hear)
			if err != nil {
				t.Fatal(err)
			}
			e.Socket = k
			paths[k.Path()] = true
			newMouth(t, k.Path()).say(t, "READY=1")
			e.want(t, notify.Message{Ready: true})
		}
	}
	if len(paths) != 10 {
		t.Errorf("10 sockets have %d paths", len(paths))
	}
	if name := filepath.Join(dir, "web.1"); !paths[name] {
		t.Errorf("there is no %s: %v", name, paths)
	}

	far := notify.New(filepath.Join(t.TempDir(), strings.Repeat("d", 100)))
	defer far.Close()
	if _, err := far.Open("web", 1, nil, nil); err == nil || !strings.Contains(err.Error(), "runtime_dir") {
		t.Errorf("in a directory with a long name: %v, want the remedy", err)
	}
}

func TestOneGenerationHasOneSocket(t *testing.T) {
	s := newServer(t)
	e := open(t, s, "web", nil)
	if _, err := s.Open("web", 1, nil, e.hear); !errors.Is(err, os.ErrExist) {
		t.Errorf("the same once more: %v, want %v", err, os.ErrExist)
	}
	e.Close()
	e.Close()
	again := open(t, s, "web", nil)
	newMouth(t, again.Path()).say(t, "READY=1")
	again.want(t, notify.Message{Ready: true})
}

// A hupwatch that is killed leaves its sockets behind. The generations that go on
// know nothing but the path.
func TestGenerationIsHeardByTheNextHupwatchToo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "n")
	first := notify.New(dir)
	defer first.Close()
	gone, kept := open(t, first, "gone", nil), open(t, first, "kept", nil)

	next := notify.New(dir)
	defer next.Close()
	e := open(t, next, "kept", nil)
	if e.Path() != kept.Path() {
		t.Fatalf("path %s, want %s", e.Path(), kept.Path())
	}
	newMouth(t, kept.Path()).say(t, "STATUS=here")
	e.want(t, notify.Message{Status: "here"})
	if _, err := os.Lstat(gone.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what nobody reads is still there: %v", err)
	}
}

func TestIdleSocketsTakeNoGoroutine(t *testing.T) {
	s := newServer(t)
	open(t, s, "first", nil)
	before := runtime.NumGoroutine()
	for i := range 50 {
		if _, err := s.Open("web", i, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Pipe(nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines more", after-before)
	}
}
