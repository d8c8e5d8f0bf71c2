package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// fullPipe is an output that nobody reads and that takes nothing more.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	control := raw.Control(func(fd uintptr) {
		for {
			if _, err = unix.Write(int(fd), make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	if control != nil || !errors.Is(err, unix.EAGAIN) {
		t.Fatalf("fill the pipe: %v, %v", control, err)
	}
	// A file that hupwatch shares must block it, as a terminal or a pipe from a
	// shell does.
	fd, err := unix.Dup(int(w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	full := os.NewFile(uintptr(fd), "full pipe")
	t.Cleanup(func() { full.Close() })
	return full
}

func TestLogThatNobodyReadsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + quiet(d, "web", "serve"))
	d.cmd.Stderr = fullPipe(t)
	d.start()
	said.serving("web", 1)
	for _, generation := range []int{2, 3} {
		d.signal(syscall.SIGHUP)
		said.serving("web", generation)
		said.says("got TERM", "web", generation-1)
	}
	d.name("web\n")
	said.says("got TERM", "web", 3)
	d.ends(syscall.SIGTERM, soon)
}

func TestLogWhoseReaderIsGoneDoesNotEndHupwatch(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + quiet(d, "web", "serve"))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	d.cmd.Stderr = w
	d.start()
	said.serving("web", 1)
	d.signal(syscall.SIGHUP)
	said.says("got TERM", "web", 1)
	said.serving("web", 2)
	d.ends(syscall.SIGTERM, soon)
}

func TestHupwatchRunsWithoutAnyStandardDescriptor(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + quiet(d, "web", "serve"))
	env := d.cmd.Env
	d.cmd = exec.Command("sh", "-c", `exec "$0" -c "$1" <&- >&- 2>&-`, self(), d.path("hupwatch.toml"))
	d.cmd.Env, d.cmd.Dir = env, d.dir
	d.start()
	said.serving("web", 1)
	d.signal(syscall.SIGHUP)
	said.says("got TERM", "web", 1)
	said.serving("web", 2)
	d.ends(syscall.SIGTERM, soon)
}
