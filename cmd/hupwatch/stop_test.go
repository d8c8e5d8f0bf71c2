package main

import (
	"syscall"
	"testing"
	"time"
)

// ends sends the signal and expects hupwatch to end as it does after a clean
// stop, within the bound.
func (d *daemon) ends(sig syscall.Signal, bound time.Duration) {
	d.t.Helper()
	began := time.Now()
	d.signal(sig)
	if code := d.wait(); code != exitDone {
		d.t.Errorf("exit code %d, want %d", code, exitDone)
	}
	if took := time.Since(began); took > bound {
		d.t.Errorf("the end took %v, want at most %v", took, bound)
	}
}

// soon is much longer than anything takes that waits for nothing.
const soon = 20 * time.Second

func (d *daemon) neverKilled() {
	d.t.Helper()
	if killed := d.all("msg=generation killed"); len(killed) > 0 {
		d.t.Errorf("killed: %v", killed)
	}
}

func TestTermInWarmupStopsOldAndNew(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	d.configure(quick + service("web", "serve", `warmup = "1h"`))
	d.signal(syscall.SIGHUP)
	d.serving("web", 2)
	d.ends(syscall.SIGTERM, soon)
	d.says("got TERM", "web", 1)
	d.says("got TERM", "web", 2)
	d.sees("msg=reload done", "aborted=1")
	d.neverKilled()
}

func TestTermInWarmupKillsADeafNewOne(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	d.configure(quick + service("web", "ignore TERM; say deaf; hang", `warmup = "1h"`, `stop_timeout = "1h"`))
	d.signal(syscall.SIGHUP)
	d.says("deaf", "web", 2)
	d.ends(syscall.SIGTERM, soon)
	d.sees("msg=generation killed", "generation=2")
}

func TestTermInDrainWaitsForTheOldOneAndTellsItNothingTwice(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "record; serve; gate g; exit 0"))
	d.up("web", 1)
	d.configure(quick + service("web", "serve"))
	d.signal(syscall.SIGHUP)
	d.says("got TERM", "web", 1)
	d.up("web", 2)
	d.signal(syscall.SIGTERM)
	d.sees("msg=generation exited", "generation=2")
	d.open("g")
	if code := d.wait(); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
	d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	if n := len(d.all("msg=stop signal sent", "generation=1")); n != 1 {
		t.Errorf("the old one was signalled %d times", n)
	}
	d.neverKilled()
}

func TestTermInBackoffEndsAtOnce(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "exit 1", failing, `restart_delay = "1h"`, `restart_max_delay = "1h"`))
	d.sees("msg=restart", "in=1h0m0s")
	d.ends(syscall.SIGTERM, soon)
}

func TestTermEndsAStartThatFailsOverAndOver(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "exit 1", failing, `restart_delay = "1ms"`, `restart_max_delay = "1ms"`)+
		"[services.missing]\ncommand = [\"/no/such/program\"]\nrestart_delay = \"1ms\"\nrestart_max_delay = \"1ms\"\n")
	d.awaitAll(10, "msg=start failed", "service=missing")
	d.awaitAll(3, "msg=start failed", "service=web")
	d.ends(syscall.SIGTERM, soon)
}

func TestTermAtTheVeryStartEndsCleanly(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "hang"))
	d.sees("msg=hupwatch started")
	d.ends(syscall.SIGTERM, soon)
}

func TestEverySignalThatEndsHupwatchStopsItsServices(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			d := startDaemon(t, quick+service("web", "serve"))
			d.up("web", 1)
			d.ends(sig, soon)
			d.says("got TERM", "web", 1)
			d.neverKilled()
		})
	}
}

func TestFurtherTermsAreIgnoredAndLogged(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve; gate g; exit 0"))
	d.up("web", 1)
	d.signal(syscall.SIGTERM)
	d.says("got TERM", "web", 1)
	d.signal(syscall.SIGTERM)
	d.sees("msg=signal ignored", "by=signal TERM")
	d.signal(syscall.SIGHUP)
	d.sees("msg=signal ignored", "by=signal HUP", "reason=hupwatch is shutting down")
	d.name("web\n")
	d.sees("msg=signal ignored", "by=signal USR2", "reason=hupwatch is shutting down")
	d.open("g")
	if code := d.wait(); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
	d.neverKilled()
	if n := len(d.all("msg=generation started")); n != 1 {
		t.Errorf("%d generations were started, want 1", n)
	}
}

func TestSecondInterruptKillsAtOnce(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "child ignore TERM, say child, hang; ignore TERM; say deaf; hang", `stop_timeout = "infinity"`))
	d.says("child", "web", 1)
	d.says("deaf", "web", 1)
	d.promoted("web", 1)
	d.signal(syscall.SIGINT)
	d.sees("msg=stop signal sent", "generation=1")
	d.ends(syscall.SIGINT, soon)
}

func TestInterruptAfterTermStillKills(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "ignore TERM; say deaf; hang", `stop_timeout = "infinity"`))
	d.says("deaf", "web", 1)
	d.promoted("web", 1)
	d.signal(syscall.SIGTERM)
	d.sees("msg=stop signal sent", "generation=1")
	d.signal(syscall.SIGINT)
	d.sees("msg=signal ignored", "by=signal INT")
	d.ends(syscall.SIGINT, soon)
}

func TestShutdownTimeoutEndsWhatIsDeaf(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "shutdown_timeout = \"5s\"\n"+quick+service("web", "ignore TERM; say deaf; hang", `stop_timeout = "infinity"`)+service("other", "serve"))
	d.says("deaf", "web", 1)
	d.promoted("web", 1)
	d.up("other", 1)
	d.ends(syscall.SIGTERM, soon)
	d.sees("msg=generation killed", "service=web")
	d.says("got TERM", "other", 1)
}

func TestUSR1ChangesNothing(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "record; serve"))
	pid := d.up("web", 1)
	d.signal(syscall.SIGUSR1)
	d.sees("by=signal USR1")
	if !alive(pid) {
		t.Errorf("the service is gone")
	}
	d.ends(syscall.SIGTERM, soon)
	if n := len(d.all("said=got USR1")); n != 0 {
		t.Errorf("the service got the USR1")
	}
}

func TestStopSignalsAndKillModeAreThoseOfTheFile(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+
		service("mixed", "child say child, await INT; await INT", `stop_signal = "INT"`, `stop_timeout = "10s"`)+
		service("group", "child say child, await INT; await INT", `stop_signal = "INT"`, `kill_mode = "group"`))
	for _, name := range []string{"mixed", "group"} {
		d.awaitAll(2, "said=awaiting INT", "service="+name)
	}
	d.ends(syscall.SIGTERM, soon)
	if n := len(d.all("said=got INT", "service=group")); n != 2 {
		t.Errorf("%d of the group got the signal, want 2", n)
	}
	if n := len(d.all("said=got INT", "service=mixed")); n != 2 {
		t.Errorf("%d of the mixed one got the signal, want 2", n)
	}
	child := d.sees("said=child", "service=mixed")["pid"]
	d.order( // the main process first, the others when it is gone
		[]string{"said=got INT", "service=mixed", "pid=" + d.sees("msg=main process gone", "service=mixed")["pid"]},
		[]string{"said=got INT", "service=mixed", "pid=" + child},
	)
	if n := len(d.all("msg=generation killed")); n != 0 {
		t.Errorf("killed %d, want none: the rest of a group is told too", n)
	}
}
