package main

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// Somebody, and groups that need no account.
const (
	nobody       = 65534
	deployGroup  = 54321
	anotherGroup = 54322
)

// commandOf is a command of somebody else, who is in these groups too. The
// daemon is of newDaemonOf.
func (d *daemon) commandOf(uid int, groups []uint32, args ...string) *command {
	d.t.Helper()
	c := d.command(args...)
	c.cmd.Path = d.path("program")
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: nobody, Groups: groups}}
	return c.begin()
}

// socketIs fails the test unless the control socket comes to have this owner,
// group and mode.
func (d *daemon) socketIs(uid, gid int, mode os.FileMode) {
	d.t.Helper()
	d.client()
	eventually(d.t, fmt.Sprintf("the socket is of %d:%d and has mode %o", uid, gid, mode), func() bool {
		info, err := os.Lstat(d.path("run", "control.sock"))
		if err != nil {
			return false
		}
		s := info.Sys().(*syscall.Stat_t)
		return int(s.Uid) == uid && int(s.Gid) == gid && info.Mode().Perm() == mode
	})
}

func TestTheControlGroupMaySeeTheStatusAndReloadAndNothingElse(t *testing.T) {
	t.Parallel()
	d := newDaemonOf(t, 0)
	with := func(group string) { d.configure(group + quick + service("web", "serve")) }
	with(fmt.Sprintf("control_group = \"%d\"\n", deployGroup))
	d.start()
	d.up("web", 1)
	d.socketIs(0, deployGroup, 0o660)
	member := []uint32{deployGroup}
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitDone, []string{"status"}},
		{exitDone, []string{"status", "web"}},
		{exitDone, []string{"reload", "web"}},
		{exitDone, []string{"plan"}},
		{exitDone, []string{"events"}},
		{exitUnreachable, []string{"stop", "web"}},
		{exitUnreachable, []string{"start", "web"}},
		{exitUnreachable, []string{"restart", "all"}},
		{exitUnreachable, []string{"signal", "KILL", "web"}},
		{exitUnreachable, []string{"logs", "web"}},
	} {
		words := []string{}
		if c.code != exitDone {
			words = append(words, "may see the status and reload, but not", "become root or the user hupwatch runs as")
		}
		d.commandOf(nobody, member, c.args...).says(c.code, words...)
	}
	by := d.sees("msg=reload asked", "reload=1")["by"]
	if want := fmt.Sprintf("uid %d pid ", nobody); len(by) <= len(want) || by[:len(want)] != want {
		t.Errorf("the reload was asked for by %q", by)
	}
	d.commandOf(nobody, nil, "status").says(exitUnreachable, "members of daemon.control_group")

	// The next reload puts another group into force.
	with(fmt.Sprintf("control_group = \"%d\"\n", anotherGroup))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "by=signal HUP", "reload=2")
	d.socketIs(0, anotherGroup, 0o660)
	d.commandOf(nobody, member, "status").says(exitUnreachable)
	d.commandOf(nobody, []uint32{anotherGroup}, "reload").says(exitDone)

	with("control_group = \"no-such-group\"\n")
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "by=signal HUP", "reload=4")
	d.socketIs(0, anotherGroup, 0o600)
	d.commandOf(nobody, []uint32{anotherGroup}, "status").says(exitUnreachable)
	if !d.faulty("no-such-group") {
		t.Errorf("nothing is said about the group that there is not")
	}

	with("")
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "by=signal HUP", "reload=5")
	d.socketIs(0, anotherGroup, 0o600)
	d.commandOf(nobody, []uint32{anotherGroup}, "status").says(exitUnreachable)
	d.asks(exitDone, "status")
	if n := len(d.all("msg=hupwatch started")); n != 1 {
		t.Errorf("hupwatch was started %d times", n)
	}
}

func TestAHupwatchThatIsNotRootIsItsOwnersAndRoots(t *testing.T) {
	t.Parallel()
	d := newDaemonOf(t, nobody)
	d.configure(quick + "[services.web]\ncommand = [\"" + d.path("program") + "\", \"serve\"]\n")
	container{UID: nobody, Program: d.path("program")}.contain(t, d.cmd)
	d.start()
	d.up("web", 1)
	d.socketIs(nobody, nobody, 0o600)
	d.commandOf(nobody, nil, "status").says(exitDone, "web", "running")
	d.commandOf(nobody, nil, "reload").says(exitDone)
	d.commandOf(nobody, nil, "stop", "web").says(exitDone)
	d.asks(exitDone, "start", "web")
	d.commandOf(nobody-1, nil, "status").says(exitUnreachable, "become one of them")

	// It is no member of this group, and cannot give it the socket.
	d.configure("control_group = \"54321\"\n" + quick + "[services.web]\ncommand = [\"" + d.path("program") + "\", \"serve\"]\n")
	d.commandOf(nobody, nil, "reload").says(exitDone)
	eventually(t, "that is said", func() bool { return d.faulty("only its owner and root can connect now") })
	d.socketIs(nobody, nobody, 0o600)
	d.commandOf(nobody, []uint32{deployGroup}, "status").says(exitDone) // the owner
	d.commandOf(nobody-1, []uint32{deployGroup}, "status").says(exitUnreachable)
	d.ends(syscall.SIGTERM, soon)
	if _, err := os.Lstat(d.path("run", "control.sock")); err == nil {
		t.Errorf("the socket is left")
	}
}
