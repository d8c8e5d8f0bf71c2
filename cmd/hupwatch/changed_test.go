package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// changed reloads what something is new for, and returns the process that serves
// then.
func (d *daemon) changed(result string) int {
	d.t.Helper()
	d.asks(exitDone, "reload", "--changed", "web").says(exitDone, result)
	s := d.status("web")
	if s.State != "running" {
		d.t.Errorf("web is %s", s.State)
	}
	return s.PID
}

func TestReloadChangedLeavesAloneWhatWouldBeTheSame(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	config := func(script, keys string) {
		d.write("web.env", "RELEASE=1\n")
		d.configure(quick + service("web", script, `env_file = ["web.env"]`, keys))
	}
	config("serve", "")
	d.start()
	pid := d.up("web", 1)
	if got := d.changed("skipped"); got != pid {
		t.Errorf("with nothing new process %d serves, want %d", got, pid)
	}
	config("serve", `stop_timeout = "29s"`)
	if got := d.changed("skipped: nothing new to start with; now in force: stop_timeout"); got != pid {
		t.Errorf("with a new stop_timeout process %d serves, want %d", got, pid)
	}
	d.write("web.env", "# a comment\nRELEASE=1\n")
	if got := d.changed("skipped"); got != pid {
		t.Errorf("with the same variables process %d serves, want %d", got, pid)
	}
	d.write("web.env", "RELEASE=2\n")
	second := d.changed("promoted")
	if second == pid {
		t.Errorf("with a new env file the same process serves")
	}
	config("say new; serve", "")
	third := d.changed("promoted")
	if third == second {
		t.Errorf("with a new command the same process serves")
	}
	d.asks(exitDone, "reload", "web") // is one, whatever is new
	if d.status("web").PID == third {
		t.Errorf("a reload without --changed did nothing")
	}
}

func TestReloadChangedStartsABinaryThatWasReplaced(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.deploy("serve")
	d.configure(quick + "[services.web]\ncommand = [\"./web\"]\n")
	d.start()
	pid := d.up("web", 1)
	if got := d.changed("skipped"); got != pid {
		t.Errorf("with nothing new process %d serves, want %d", got, pid)
	}
	d.deploy("serve") // the same words in another file, as an installer leaves it
	if got := d.changed("promoted"); got == pid {
		t.Errorf("with a new binary the same process serves")
	}
}

func TestReloadChangedFollowsALinkToANewRelease(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	for _, release := range []string{"1", "2"} {
		if err := os.Mkdir(d.path(release), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(release string) {
		if err := os.Symlink(release, d.path("current.new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(d.path("current.new"), d.path("current")); err != nil {
			t.Fatal(err)
		}
	}
	link("1")
	d.configure(quick + service("web", "serve", `working_dir = "current"`))
	d.start()
	pid := d.up("web", 1)
	link("1")
	if got := d.changed("skipped"); got != pid {
		t.Errorf("with the same release process %d serves, want %d", got, pid)
	}
	link("2")
	if got := d.changed("promoted"); got == pid {
		t.Errorf("with a new release the same process serves")
	}
	if s := d.status("web"); !strings.HasSuffix(s.Release, "/2") {
		t.Errorf("it runs in %s", s.Release)
	}
}

func TestAStopTimeoutThatNeedsNoNewProcessIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	const short = 300 * time.Millisecond
	d := startDaemon(t, quick+service("web", "ignore TERM; say deaf; hang", `stop_timeout = "1h"`))
	pid := d.says("deaf", "web", 1)
	d.promoted("web", 1)
	d.configure(quick + service("web", "ignore TERM; say deaf; hang", `stop_timeout = "300ms"`))
	if got := d.changed("stop_timeout"); got != pid {
		t.Errorf("process %d serves, want %d", got, pid)
	}
	began := time.Now()
	d.asks(exitDone, "stop", "web")
	if took := time.Since(began); took < short || took > soon {
		t.Errorf("it was killed after %v, want %v", took, short)
	}
	if e := d.sees("msg=stop signal sent", "generation=1"); e["kill_in"] != "300ms" {
		t.Errorf("the stop signal is %v", e)
	}
	d.sees("msg=generation killed", "generation=1")
	d.sees("msg=generation exited", "generation=1")
	if alive(pid) {
		t.Errorf("process %d is alive", pid)
	}
	d.signal(syscall.SIGTERM)
	d.ended(exitDone)
}
