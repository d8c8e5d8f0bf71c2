package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal: what a person sits at, and what programs see.
type terminal struct {
	t             *testing.T
	master, slave *os.File
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return &terminal{t, master, slave}
}

// lead makes the command the leader of the terminal's session, in its foreground.
func (term *terminal) lead(cmd *exec.Cmd) {
	cmd.Stdin = term.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
}

// press types one character.
func (term *terminal) press(key byte) {
	term.t.Helper()
	if _, err := term.master.Write([]byte{key}); err != nil {
		term.t.Fatal(err)
	}
}

const ctrlC = 3

// close is the window being closed, or the line lost.
func (term *terminal) close() {
	term.slave.Close()
	term.master.Close()
}

// startAt starts hupwatch in the foreground of a new terminal. A script of a
// service that becomes hupwatch can come before it.
func startAt(t *testing.T, before, config string) (*daemon, *terminal) {
	t.Helper()
	d := newDaemon(t, t.TempDir())
	d.configure(config)
	if before != "" {
		d.cmd = exec.Command(self(), before+"; become -c "+d.path("hupwatch.toml"))
		d.cmd.Dir = d.dir
		d.cmd.Env = append(os.Environ(), asService+"=1")
	}
	term := newTerminal(t)
	term.lead(d.cmd)
	d.start()
	return d, term
}

func TestCtrlCStopsGracefully(t *testing.T) {
	t.Parallel()
	d, term := startAt(t, "", quick+service("web", "record; serve"))
	d.up("web", 1)
	term.press(ctrlC)
	d.ended(exitDone)
	d.sees("msg=stopping all services", "by=signal INT")
	d.says("got TERM", "web", 1)
	if heard := d.all("said=got INT"); len(heard) > 0 {
		t.Errorf("the service heard of the key: %v", heard)
	}
	d.neverKilled()
}

func TestCtrlCTwiceKills(t *testing.T) {
	t.Parallel()
	d, term := startAt(t, "", quick+service("web", "child ignore TERM, say child, hang; ignore TERM; say deaf; hang", `stop_timeout = "infinity"`))
	d.says("child", "web", 1)
	d.says("deaf", "web", 1)
	term.press(ctrlC)
	d.sees("msg=stop signal sent", "generation=1")
	term.press(ctrlC)
	d.ended(exitDone)
	d.sees("msg=generation killed", "generation=1")
}

func TestTheEndOfTheTerminalStopsEverything(t *testing.T) {
	t.Parallel()
	d, term := startAt(t, "", quick+service("web", "serve"))
	d.up("web", 1)
	term.close()
	d.ended(exitDone)
	d.sees("msg=stopping all services", "by=signal INT")
	d.says("got TERM", "web", 1)
	d.neverKilled()
}

// TestTheEndOfTheTerminalOfAShellStopsEverything has hupwatch run in the
// foreground of a shell, which is whom the kernel tells first.
func TestTheEndOfTheTerminalOfAShellStopsEverything(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.configure(quick + service("web", "serve"))
	d.cmd.Path, d.cmd.Args = "/bin/sh", append([]string{"sh", "-c", `"$0" "$@"; echo never`}, d.cmd.Args...)
	term := newTerminal(t)
	term.lead(d.cmd)
	d.start()
	d.up("web", 1)
	term.close()
	d.sees("msg=stopping all services", "by=signal INT")
	d.sees("msg=hupwatch ended", "code=0")
	d.ended(128 + int(syscall.SIGHUP)) // the shell
}

func TestTheEndOfTheTerminalStopsTheOneServiceToo(t *testing.T) {
	t.Parallel()
	d := newOne(t, brisk...)
	d.deploy("serve")
	term := newTerminal(t)
	term.lead(d.cmd)
	d.start()
	d.up("web", 1)
	term.close()
	d.ended(exitDone)
	d.says("got TERM", "web", 1)
}

func TestHangupAtALivingTerminalReloads(t *testing.T) {
	t.Parallel()
	d, term := startAt(t, "", quick+service("web", "serve"))
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	d.sees("msg=reload done", "promoted=1")
	term.press(ctrlC)
	d.ended(exitDone)
}

func TestUnderNohupEveryHangupReloads(t *testing.T) {
	t.Parallel()
	d, term := startAt(t, "ignore HUP", quick+service("web", "serve"))
	d.up("web", 1)
	term.close() // a HUP of its own
	d.sees("msg=reload done", "reload=1", "promoted=1")
	d.up("web", 2)
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=2", "promoted=1")
	d.up("web", 3)
	d.ends(syscall.SIGTERM, soon)
}

// TestInTheBackgroundTheEndOfTheTerminalIsNone has a shell with job control start
// hupwatch with an ampersand.
func TestInTheBackgroundTheEndOfTheTerminalIsNone(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.configure(quick + service("web", "serve"))
	d.cmd.Path, d.cmd.Args = "/bin/sh", append([]string{"sh", "-m", "-c", `"$0" "$@" & read line`}, d.cmd.Args...)
	term := newTerminal(t)
	term.lead(d.cmd)
	d.start()
	daemon := d.sees("msg=hupwatch started").pid(t)
	d.up("web", 1)
	term.close()
	eventually(t, "the shell ends", func() bool { return !alive(d.cmd.Process.Pid) })
	if err := syscall.Kill(daemon, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.sees("msg=reload done", "promoted=1")
	d.up("web", 2)
	if err := syscall.Kill(daemon, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.sees("msg=hupwatch ended", "code=0")
}

// TestMovedToTheBackgroundTheEndOfTheTerminalIsNone is Ctrl-Z, bg and a closed
// window.
func TestMovedToTheBackgroundTheEndOfTheTerminalIsNone(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.configure(quick + service("web", "serve"))
	if err := makeGate(d.path("bg")); err != nil {
		t.Fatal(err)
	}
	// The shell that was asked for a background job takes the terminal back.
	d.cmd.Path, d.cmd.Args = "/bin/sh", append([]string{"sh", "-m", "-c", `"$0" "$@"; echo said=stopped >&2; x=$(head -c1 bg); bg; read line`}, d.cmd.Args...)
	term := newTerminal(t)
	term.lead(d.cmd)
	d.start()
	daemon := d.sees("msg=hupwatch started").pid(t)
	d.up("web", 1)
	term.press(26)
	d.sees("said=stopped")
	d.open("bg")
	if err := syscall.Kill(daemon, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.sees("msg=reload done", "reload=1", "promoted=1") // it runs again
	d.up("web", 2)
	term.close()
	eventually(t, "the shell ends", func() bool { return !alive(d.cmd.Process.Pid) })
	if err := syscall.Kill(daemon, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.sees("msg=reload done", "reload=2", "promoted=1")
	d.up("web", 3)
	if err := syscall.Kill(daemon, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.sees("msg=hupwatch ended", "code=0")
}
