package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

const longWarmup = 8 * time.Second

func TestHangupsInWarmupLeaveItItsTimeAndAreFollowedByOneMoreReload(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	d.configure(quick + service("web", "say second; serve", fmt.Sprintf("warmup = %q", longWarmup)))
	d.signal(syscall.SIGHUP)
	d.says("second", "web", 2)
	d.configure(quick + service("web", "say third; serve"))
	for _, reload := range []string{"2", "3", "4"} {
		d.signal(syscall.SIGHUP)
		d.sees("msg=reload asked", "reload="+reload)
	}
	for _, reload := range []string{"1", "2", "3", "4"} {
		d.sees("msg=reload done", "reload="+reload, "promoted=1")
	}
	started := at(t, d.sees("msg=generation started", "generation=2"))
	if took := at(t, d.sees("msg=generation promoted", "generation=2")).Sub(started); took < longWarmup*9/10 {
		t.Errorf("the warm-up of %v took %v", longWarmup, took)
	}
	d.says("third", "web", 3)
	d.sees("msg=reload ended", "reload=2,3,4", "generation=3")
	if n := len(d.all("msg=generation started")); n != 3 {
		t.Errorf("%d generations were started, want 3", n)
	}
}

// at is when a line of the log was written.
func at(t *testing.T, e event) time.Time {
	t.Helper()
	ts, err := time.Parse(time.RFC3339, e["ts"])
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func TestOldOneThatIgnoresItsSignalIsKilledWithItsChildAndDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	deaf := "child ignore TERM, say child, hang; ignore TERM; say deaf; hang"
	d := startDaemon(t, quick+service("web", deaf, `stop_timeout = "10s"`)+service("other", "serve"))
	child, old := d.says("child", "web", 1), d.says("deaf", "web", 1)
	d.promoted("web", 1)
	d.up("other", 1)
	d.signal(syscall.SIGHUP)
	d.sees("msg=stop signal sent", "service=web", "generation=1")
	d.sees("msg=reload ended", "service=other", "reload=1")
	d.name("other\n")
	d.sees("msg=reload ended", "service=other", "reload=2", "result=promoted")
	d.sees("msg=generation exited", "service=web", "generation=1", "exit=killed by signal KILL")
	d.order(
		[]string{"msg=reload ended", "service=other", "reload=2"},
		[]string{"msg=generation killed", "service=web", "generation=1"},
	)
	for _, pid := range []int{child, old} {
		if alive(pid) {
			t.Errorf("process %d of the old generation is alive after the KILL", pid)
		}
	}
	stopped := at(t, d.sees("msg=stop signal sent", "service=web"))
	if took := at(t, d.sees("msg=generation killed", "service=web")).Sub(stopped); took < 9900*time.Millisecond {
		t.Errorf("the KILL came %v after the stop signal, want stop_timeout", took)
	}
	d.signal(syscall.SIGINT)
	d.sees("msg=stopping all services")
	d.signal(syscall.SIGINT) // the new one is as deaf
	d.wait()
}

func TestOldOneThatDiesInWarmupOfTheNewOneDoesNotEndTheReload(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "say serving; gate g1; exit 1"))
	d.up("web", 1)
	d.configure(quick + service("web", "serve", `warmup = "8s"`))
	d.signal(syscall.SIGHUP)
	d.serving("web", 2)
	d.open("g1")
	d.sees("msg=reload done", "promoted=1")
	d.order(
		[]string{"msg=generation ended", "generation=1", "exit=exited with status 1"},
		[]string{"msg=generation promoted", "generation=2"},
	)
	pid := d.up("web", 2)
	d.signal(syscall.SIGTERM)
	if code := d.wait(); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
	if n := len(d.all("msg=generation started")); n != 2 {
		t.Errorf("%d generations were started, want 2", n)
	}
	if n := len(d.all("msg=generation exited", "generation=2")); n != 1 || alive(pid) {
		t.Errorf("generation 2 exited %d times", n)
	}
}

func TestNewOneThatDiesWhileTheOldOneDrainsIsStartedAgainAtOnce(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve; gate g1; exit 0"))
	old := d.up("web", 1)
	d.configure(quick + service("web", "say serving; gate g${HUPWATCH_GENERATION}; exit 7"))
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	d.says("got TERM", "web", 1)
	d.open("g2")
	d.sees("msg=generation ended", "generation=2", "exit=exited with status 7")
	d.sees("msg=restart", "service=web", "in=0s")
	third := d.up("web", 3)
	if !alive(old) {
		t.Errorf("the old one did not finish its work")
	}
	d.open("g1")
	d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	if !alive(third) {
		t.Errorf("nothing serves")
	}
}

func TestWhereOldAndNewDieTheOldReleaseIsStartedAgain(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "say serving; gate old; exit 1"))
	d.up("web", 1)
	d.configure(quick + service("web", "say new; gate new; exit 2", `warmup = "60s"`))
	d.signal(syscall.SIGHUP)
	d.says("new", "web", 2)
	d.open("old")
	d.sees("msg=generation ended", "generation=1")
	d.open("new")
	ended := d.sees("msg=reload ended", "result=failed")
	if !strings.Contains(ended["err"], "exited with status 2") {
		t.Errorf("the reason is %q", ended["err"])
	}
	d.sees("msg=reload done", "failed=1", "not_reloaded=web")
	d.up("web", 3) // says serving: it is the old release
}

func TestStoppedOldOneEndsAtReload(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	old := d.up("web", 1)
	if err := syscall.Kill(old, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP)
	d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	if n := len(d.all("msg=generation killed")); n != 0 {
		t.Errorf("it was killed")
	}
}

func TestOrphanOfAShellIsToldToStopWithIt(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+shell("web", "serve"))
	orphan, leader := d.serving("web", 1), d.promoted("web", 1)
	if orphan == leader {
		t.Fatalf("the shell became the service")
	}
	d.signal(syscall.SIGHUP)
	d.sees("msg=main process gone", "generation=1")
	d.says("got TERM", "web", 1)
	d.sees("msg=generation exited", "generation=1")
	if n := len(d.all("msg=generation killed")); n != 0 || alive(orphan) {
		t.Errorf("killed %d times, alive %v", n, alive(orphan))
	}
}

// shell is a service below a shell that waits for it, and does not pass on what
// it is told.
func shell(name, script string, keys ...string) string {
	return strings.Replace(service(name, script, keys...),
		"command = [", `command = ["sh", "-c", "\"$0\" \"$1\"; true", `, 1)
}

func TestDeafOrphanOfAShellIsKilledAtStopTimeout(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+shell("web", "ignore TERM; serve; hang", `stop_timeout = "5s"`))
	orphan := d.serving("web", 1)
	d.promoted("web", 1)
	d.configure(quick + service("web", "serve"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=generation exited", "generation=1")
	if alive(orphan) {
		t.Errorf("the orphan %d is alive", orphan)
	}
	d.order(
		[]string{"msg=stop signal sent", "generation=1"},
		[]string{"msg=main process gone", "generation=1"},
		[]string{"msg=generation killed", "generation=1"},
		[]string{"msg=generation exited", "generation=1"},
	)
	d.up("web", 2)
}

func TestOrphanOfACrashedShellDoesNotKeepTheServiceFromStarting(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+shell("web", "serve; gate g; exit 0"))
	orphan, leader := d.serving("web", 1), d.promoted("web", 1)
	if err := syscall.Kill(leader, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.says("got TERM", "web", 1)
	d.serving("web", 2)
	d.promoted("web", 2)
	if !alive(orphan) {
		t.Errorf("the orphan did not finish its work")
	}
	d.open("g")
	d.sees("msg=generation exited", "generation=1")
	d.open("g") // for the second one, when it is stopped
}

func TestReloadWaitsForAFreeDrainSlot(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve; gate g${HUPWATCH_GENERATION}; exit 0", "max_draining = 1"))
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload waits", "generation=1")
	d.open("g1")
	d.up("web", 3)
	d.order(
		[]string{"msg=reload waits", "generation=1"},
		[]string{"msg=generation exited", "generation=1"},
		[]string{"msg=generation started", "generation=3"},
		[]string{"msg=reload ended", "reload=2", "result=promoted"},
	)
	d.open("g2")
	d.open("g3")
}

func TestReloadsDoNotOverlapWithOneInParallel(t *testing.T) {
	t.Parallel()
	services := service("a", "serve") + service("b", "serve") + service("c", "serve")
	d := startDaemon(t, "max_parallel = 1\n"+quick+services)
	for _, name := range []string{"a", "b", "c"} {
		d.up(name, 1)
	}
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "promoted=3")
	busy := ""
	for _, e := range d.all() {
		switch e["msg"] {
		case "reload begun":
			if busy != "" {
				t.Errorf("the reload of %s began in that of %s", e["service"], busy)
			}
			busy = e["service"]
		case "reload ended":
			busy = ""
		}
	}
}

func TestReloadsOverlapWhereTheyMay(t *testing.T) {
	t.Parallel()
	services := service("a", "serve") + service("b", "serve")
	d := startDaemon(t, quick+services)
	d.up("a", 1)
	d.up("b", 1)
	d.configure(quick + strings.ReplaceAll(services, "command =", "warmup = \"1s\"\ncommand ="))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "promoted=2")
	d.order([]string{"msg=reload begun", "service=a"}, []string{"msg=reload ended", "service=b"})
	d.order([]string{"msg=reload begun", "service=b"}, []string{"msg=reload ended", "service=a"})
}
