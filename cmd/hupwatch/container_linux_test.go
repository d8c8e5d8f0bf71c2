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
