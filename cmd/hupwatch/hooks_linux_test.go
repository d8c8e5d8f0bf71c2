package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// hook is a key for a hook that is a script.
func hook(kind, script string) string { return fmt.Sprintf("%s = [%q, %q]", kind, player(), script) }

func TestHooksHaveTheirGenerationInTheEnvironment(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	if err := os.Mkdir(dir+"/release", 0o755); err != nil {
		t.Fatal(err)
	}
	tell := "where; tell HUPWATCH_PID; tell HUPWATCH_GENERATION; tell OWN; tell HUPWATCH_RESULT; tell HUPWATCH_ERROR; tell LISTEN_FDS; say told "
	d := startDaemonIn(t, dir, quick+service("web", "listen 3; serve", `working_dir = "release"`, `environment = { OWN = "mine" }`, fmt.Sprintf(`listen = ["tcp://%s"]`, loopback()),
		hook("before_start", tell+"before_start"), hook("before_stop", tell+"before_stop"), hook("after_reload", tell+"after_reload")))
	old := d.up("web", 1)
	d.signal(syscall.SIGHUP)
	active := d.up("web", 2)
	for _, c := range []struct {
		hook        string
		generation  int
		pid, result string
	}{
		{"before_start", 1, "0", ""},
		{"before_start", 2, "0", ""},
		{"before_stop", 1, strconv.Itoa(old), ""},
		{"after_reload", 2, strconv.Itoa(active), "promoted"},
	} {
		pid := d.says("told "+c.hook, "web", c.generation)
		var told []string
		for _, e := range d.all("service=web", "generation="+strconv.Itoa(c.generation), "pid="+strconv.Itoa(pid)) {
			told = append(told, e["said"])
		}
		want := []string{
			fmt.Sprintf("uid %d in %s/release", os.Getuid(), dir), "HUPWATCH_PID=" + c.pid, fmt.Sprintf("HUPWATCH_GENERATION=%d", c.generation),
			"OWN=mine", "HUPWATCH_RESULT=" + c.result, "HUPWATCH_ERROR=", "LISTEN_FDS=", "told " + c.hook,
		}
		if got := strings.Join(told, ", "); got != strings.Join(want, ", ") {
			t.Errorf("%s of generation %d was told %s, want %s", c.hook, c.generation, got, want)
		}
	}
	d.order(
		[]string{"msg=hook begun", "hook=before_start", "generation=2"},
		[]string{"msg=generation started", "generation=2"},
		[]string{"msg=hook begun", "hook=before_stop", "generation=1"},
		[]string{"msg=stop signal sent", "generation=1"},
	)
}

func TestHooksRunAsTheUserOfTheService(t *testing.T) {
	t.Parallel()
	d := newDaemonOf(t, os.Getuid())
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	script := func(kind string) string {
		return fmt.Sprintf("%s = [%q, \"where; say %s\"]", kind, d.path("program"), kind)
	}
	d.configure(quick + strings.Replace(service("web", "serve", `user = "nobody"`, script("before_start"), script("before_stop"), script("after_reload")), player(), d.path("program"), 1))
	d.start()
	d.promoted("web", 1)
	d.signal(syscall.SIGHUP)
	for kind, generation := range map[string]int{"before_start": 2, "before_stop": 1, "after_reload": 2} {
		pid := d.says(kind, "web", generation)
		d.sees(fmt.Sprintf("said=uid 65534 in %s", d.dir), "pid="+strconv.Itoa(pid))
	}
}

func TestWhatHooksWriteIsPrefixedAndInTheReasonOfTheirFailure(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	d.configure(quick + service("web", "serve", hook("before_start", `print migrating\nno such table\n; exit 3`)))
	d.asks(exitOther, "reload").says(exitOther, "before_start: exited with status 3", "| no such table")
	d.line("web | migrating")
	d.line("web | no such table")
	if s := d.status("web"); strings.Join(s.LastReload.Tail, ",") != "migrating,no such table" || s.LastReload.Error != "before_start: exited with status 3" || s.Generation != 1 {
		t.Errorf("the status is %+v", s)
	}
	if n := len(d.all("msg=generation started")); n != 1 {
		t.Errorf("%d generations were started, want 1", n)
	}
	d.asks(exitDone, "logs", "web").says(exitDone, "no such table")
}

func TestBeforeStartThatTakesTooLongIsKilledWithAllOfItsGroup(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	d.configure(quick + service("web", "serve", `start_timeout = "8s"`, hook("before_start", "ignore TERM; child ignore TERM, say child, hang; say hook; hang")))
	wants(t, d.keepsOld("web", "1"), "before_start: it took longer than start_timeout (8s)")
	d.goneAll(d.says("hook", "web", 2), d.says("child", "web", 2))
}

// goneAll waits until none of the processes lives.
func (d *daemon) goneAll(pids ...int) {
	d.t.Helper()
	for _, pid := range pids {
		eventually(d.t, fmt.Sprintf("process %d is gone", pid), func() bool { return !alive(pid) })
	}
}

func TestBeforeStopThatTakesTooLongIsKilledAndTheStopGoesOn(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", `stop_timeout = "8s"`, hook("before_stop", "ignore TERM; child ignore TERM, say child, hang; say hook; hang")))
	d.up("web", 1)
	d.asks(exitDone, "stop", "web")
	d.goneAll(d.says("hook", "web", 1), d.says("child", "web", 1))
	wants(t, d.sees("msg=hook failed", "service=web", "hook=before_stop")["err"], "it took longer than stop_timeout (8s)")
	d.order([]string{"msg=hook failed"}, []string{"msg=stop signal sent"})
	d.says("got TERM", "web", 1)
	d.neverKilled()
}

func TestAfterReloadThatTakesTooLongIsKilledAndDelaysNothing(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", `start_timeout = "8s"`, hook("after_reload", "child say child, hang; say hook; hang")))
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=1", "promoted=1")
	pids := []int{d.says("hook", "web", 2), d.says("child", "web", 2)}
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=2", "promoted=1")
	wants(t, d.sees("msg=hook failed", "service=web", "hook=after_reload")["err"], "it took longer than start_timeout")
	d.goneAll(pids...)
}

func TestBeforeStopRunsToItsEndAtAStopAndAtTheEnd(t *testing.T) {
	t.Parallel()
	const leave = "say leaving; gate left; exit 0"
	d := startDaemon(t, quick+service("web", "serve", hook("before_stop", leave))+service("other", "serve", hook("before_stop", leave)))
	d.up("web", 1)
	d.up("other", 1)
	stop := d.command("stop", "web").begin()
	d.leaves("web")
	stop.says(exitDone)
	d.signal(syscall.SIGTERM)
	d.leaves("other")
	d.ended(exitDone)
	if n := len(d.all("said=leaving", "service=web")); n != 1 {
		t.Errorf("before_stop of web ran %d times", n)
	}
}

// leaves lets before_stop of a service end, and fails the test if that was not
// waited for.
func (d *daemon) leaves(name string) {
	d.t.Helper()
	d.says("leaving", name, 1)
	if s := d.status(name); len(s.Draining) != 1 || s.Draining[0].Hook != "before_stop" || len(d.all("msg=stop signal sent", "service="+name)) > 0 {
		d.t.Errorf("while before_stop runs %s is %+v", name, s)
	}
	d.open("left")
	d.says("got TERM", name, 1)
}

func TestTermEndsAHookOfEachKindSoonAndLeavesNone(t *testing.T) {
	t.Parallel()
	const deaf = "ignore TERM; child ignore TERM, say child, hang; say hook; hang"
	for _, kind := range []string{"before_start", "after_reload", "before_stop"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			with := quick + service("web", "serve", `stop_timeout = "8s"`, hook(kind, deaf))
			first, generation := quick+service("web", "serve"), 2
			if kind == "before_stop" { // that of what serves
				first, generation = with, 1
			}
			d := startDaemon(t, first)
			d.up("web", 1)
			d.configure(with)
			d.signal(syscall.SIGHUP)
			pids := []int{d.says("hook", "web", generation), d.says("child", "web", generation)}
			d.ends(syscall.SIGTERM, soon)
			d.goneAll(pids...) // what got KILL may take a moment to go
			d.neverKilled()
		})
	}
}

func TestASecondInterruptEndsABeforeStop(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", `stop_timeout = "1h"`, hook("before_stop", "ignore TERM; say hook; hang")))
	d.up("web", 1)
	d.signal(syscall.SIGINT)
	pid := d.says("hook", "web", 1)
	d.ends(syscall.SIGINT, soon)
	d.goneAll(pid)
}

func TestAfterReloadIsToldTheResultAndTheReason(t *testing.T) {
	t.Parallel()
	after := hook("after_reload", "tell HUPWATCH_RESULT; tell HUPWATCH_ERROR; say told")
	onProbation := strings.Replace(quick, "probation = 0", `probation = "1h"`, 1)
	d := startDaemon(t, onProbation+service("web", "serve", after))
	d.up("web", 1)
	told := func(generation int, result, reason string) {
		t.Helper()
		about := "generation=" + strconv.Itoa(generation)
		d.sees("said=HUPWATCH_RESULT="+result, about)
		pid := "pid=" + d.sees("said=HUPWATCH_RESULT="+result, about)["pid"]
		d.sees("said=told", about, pid)
		for _, e := range d.all(pid, about) {
			if text, is := strings.CutPrefix(e["said"], "HUPWATCH_ERROR="); is {
				if reason == "" && text != "" {
					t.Errorf("%s comes with the error %q", result, text)
				}
				wants(t, text, reason)
			}
		}
	}
	d.signal(syscall.SIGHUP)
	told(2, "promoted", "")
	d.configure(onProbation + service("web", "exit 4", failing, after))
	d.signal(syscall.SIGHUP)
	told(3, "kept_old", "exited with status 4")
	d.configure(onProbation + service("web", "gate bad; exit 5", after))
	d.signal(syscall.SIGHUP)
	told(4, "promoted", "")
	d.open("bad")
	told(4, "rolled_back", "exited with status 5")
	d.configure(onProbation + service("web", "exit 6", failing, after, `working_dir = "nowhere"`)) // no release to run it in
	d.signal(syscall.SIGHUP)
	told(0, "kept_old", "nowhere")
	if n := len(d.all("said=told")); n != 5 {
		t.Errorf("after_reload ran %d times, want 5", n)
	}
}
