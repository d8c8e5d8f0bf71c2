package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// container is what a hupwatch under test is put into before it is executed. The
// test binary does that, as the PID that hupwatch is going to have.
type container struct {
	PID1      bool              // in a PID namespace of its own, with its own /proc
	Root      string            // this directory, read-only; its path out can be written to
	Tmpfs     map[string]string // file systems in memory, and their sizes
	UID       int               // this uid and gid, which need no account
	Processes uint64            // and no more than so many of it
	Closed    []int             // without these descriptors
	Blocked   bool              // with every signal blocked
	Ignored   []syscall.Signal  // with these ignored
	Program   string            // the test binary, unless it is set
	Args      []string
	DropHome  bool // without a HOME
}

// contain makes the command run in the container. It skips the test where that
// cannot be.
func (c container) contain(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root makes containers")
	}
	c.Args = cmd.Args
	if c.Program == "" {
		c.Program = cmd.Path
	}
	spec, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, asContainer+"="+string(spec))
	attr := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if c.PID1 {
		attr.Cloneflags = syscall.CLONE_NEWPID
	}
	probe := exec.Command("/bin/true")
	probe.SysProcAttr = attr
	if err := probe.Run(); errors.Is(err, syscall.EPERM) {
		t.Skipf("no namespaces here: %v", err)
	}
	cmd.SysProcAttr = attr
}

// enterContainer goes in and becomes hupwatch.
func enterContainer(spec string) {
	os.Unsetenv(asContainer)
	var c container
	err := json.Unmarshal([]byte(spec), &c)
	if err == nil {
		err = c.enter()
	}
	if err == nil {
		err = c.exec()
	}
	fmt.Fprintln(os.Stderr, "enter container:", err)
	os.Exit(98)
}

func (c *container) enter() error {
	if c.PID1 {
		if err := unix.Mount("proc", filepath.Join(c.Root, "/proc"), "proc", 0, ""); err != nil {
			return fmt.Errorf("mount proc: %w", err)
		}
	}
	for path, size := range c.Tmpfs {
		if err := unix.Mount("tmpfs", path, "tmpfs", 0, "mode=711,size="+size); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	if c.Root != "" {
		if err := c.changeRoot(); err != nil {
			return err
		}
	}
	if c.UID == 0 {
		return nil
	}
	if n := c.Processes; n > 0 {
		if err := unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			return fmt.Errorf("limit processes: %w", err)
		}
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(c.UID), syscall.Setuid(c.UID)); err != nil {
		return fmt.Errorf("become uid %d: %w", c.UID, err)
	}
	return nil
}

func (c *container) changeRoot() error {
	for _, path := range []string{"/dev/null", "/out"} {
		source := path
		if path == "/out" {
			source = c.Root + path
		}
		if err := unix.Mount(source, c.Root+path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", path, err)
		}
	}
	if err := unix.Mount(c.Root, c.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind root: %w", err)
	}
	if err := unix.Mount("", c.Root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make root read-only: %w", err)
	}
	if err := unix.Chroot(c.Root); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	return unix.Chdir("/")
}

// exec returns only if it fails.
func (c *container) exec() error {
	for _, sig := range c.Ignored {
		signal.Ignore(sig)
	}
	if c.DropHome {
		os.Unsetenv("HOME")
	}
	if c.Blocked {
		runtime.LockOSThread() // the mask is the thread's
		var all unix.Sigset_t
		for i := range all.Val {
			all.Val[i] = ^all.Val[i]
		}
		if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil); err != nil {
			return fmt.Errorf("block signals: %w", err)
		}
	}
	unix.CloseOnExec(3) // through which a test waits for this exec
	for _, fd := range c.Closed {
		unix.CloseOnExec(fd)
	}
	return syscall.Exec(c.Program, c.Args, os.Environ())
}

// staticBinary builds the test binary anew, so that it needs nothing but itself.
func staticBinary(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "static")
	build := exec.Command("go", "test", "-c", "-trimpath", "-vet=off", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if text, err := build.CombinedOutput(); errors.Is(err, exec.ErrNotFound) {
		t.Skip(err)
	} else if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return program
}

// newScratch is a hupwatch in an image made from scratch: nothing but itself, which is
// the service too, and a configuration. Its log is read from the volume /out.
func newScratch(t *testing.T, program, config string, c container) (d, said *daemon) {
	t.Helper()
	root := t.TempDir()
	for _, path := range []string{"dev", "proc", "out", "etc"} {
		if err := os.Mkdir(filepath.Join(root, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{"dev/null": "", "etc/hupwatch.toml": config} {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(program, filepath.Join(root, "hupwatch")); err != nil {
		t.Fatal(err)
	}
	d = newDaemon(t, filepath.Join(root, "out"))
	d.cmd.Args = []string{"hupwatch", "-c", "/etc/hupwatch.toml"}
	c.Root, c.Program = root, "/hupwatch"
	c.contain(t, d.cmd)
	if err := makeGate(d.path("said")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.path("said"), 0o622); err != nil {
		t.Fatal(err)
	}
	return d, d.said()
}

// scratchService is the service of such an image.
func scratchService(script string, more string) string {
	return fmt.Sprintf("%s[services.web]\ncommand = [\"/hupwatch\", %q]\nwarmup = \"50ms\"\nstop_timeout = \"5s\"\nenvironment = { %s = \"1\", %s = \"/out/said\" }\n",
		more, script, asService, sayTo)
}

func TestHupwatchRunsInAContainerFromScratch(t *testing.T) {
	t.Parallel()
	program := staticBinary(t)
	everyday := func(d, said *daemon) {
		t.Helper()
		said.serving("web", 1)
		d.signal(syscall.SIGHUP)
		said.serving("web", 2)
		said.says("got TERM", "web", 1)
		d.ends(syscall.SIGTERM, soon)
		said.says("got TERM", "web", 2)
	}
	goesOn := func(d *daemon, reason string) {
		t.Helper()
		e := d.sees("msg=advice", "level=warn")
		if !strings.Contains(e["reason"], reason) || !strings.Contains(e["reason"], "goes on without runtime_dir") {
			t.Errorf("the advice is %q, want %q", e["reason"], reason)
		}
	}
	t.Run("with a read-only root and no accounts", func(t *testing.T) {
		t.Parallel()
		d, said := newScratch(t, program, scratchService("serve", ""), container{PID1: true})
		d.start()
		everyday(d, said)
		goesOn(d, "read-only file system")
		if trouble := d.all("msg=trouble"); len(trouble) > 0 { // like a socket or a journal that there is no place for
			t.Errorf("%v", trouble)
		}
	})
	t.Run("as an arbitrary user without a home", func(t *testing.T) {
		t.Parallel()
		d, said := newScratch(t, program, scratchService("serve", ""), container{PID1: true, UID: 123456, DropHome: true})
		d.start()
		everyday(d, said)
		goesOn(d, "mkdir /tmp: read-only file system")
	})
	t.Run("without standard input", func(t *testing.T) {
		t.Parallel()
		d, said := newScratch(t, program, scratchService("serve", ""), container{PID1: true, Closed: []int{0}})
		d.start()
		everyday(d, said)
	})
	t.Run("without standard input, output and error", func(t *testing.T) {
		t.Parallel()
		d, said := newScratch(t, program, scratchService("serve", ""), container{PID1: true, UID: 123456, Closed: []int{0, 1, 2}})
		d.start()
		everyday(d, said)
	})
	t.Run("with a runtime_dir on a volume", func(t *testing.T) {
		t.Parallel()
		d, said := newScratch(t, program, scratchService("serve", "[daemon]\nruntime_dir = \"/out/run\"\n"), container{PID1: true})
		d.start()
		said.serving("web", 1)
		if pid, err := os.ReadFile(d.path("run", "pid")); err != nil || string(pid) != "1\n" {
			t.Errorf("the pid file says %q, %v", pid, err)
		}
		d.name("web\n")
		said.serving("web", 2)
		said.says("got TERM", "web", 1)
		d.asks(exitDone, "status", "web").says(exitDone, "running")
		d.asks(exitDone, "reload").says(exitDone, "web: generation 3 serves")
		d.ends(syscall.SIGTERM, soon)
		if advice := d.all("msg=advice"); len(advice) > 0 {
			t.Errorf("%v", advice)
		}
	})
	t.Run("not as PID 1", func(t *testing.T) {
		t.Parallel()
		d, _ := newScratch(t, program, scratchService("serve", ""), container{})
		d.start()
		d.ended(exitOther)
		if text := d.log.text(); !strings.Contains(text, "read-only file system") || !strings.Contains(text, "set daemon.runtime_dir to a directory") {
			t.Errorf("no remedy in %q", text)
		}
	})
	t.Run("with the exit code of an essential service", func(t *testing.T) {
		t.Parallel()
		d, said := newScratch(t, program, scratchService("say serving; exit 77", "")+"essential = true\n", container{PID1: true, UID: 123456})
		d.start()
		said.serving("web", 1)
		d.ended(77)
	})
}
