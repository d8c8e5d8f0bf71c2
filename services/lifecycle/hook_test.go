package lifecycle_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// hooked returns a machine whose generation 1 serves, and whose hooks are these.
func hooked(t *testing.T, hooks ...config.Hook) *bench {
	t.Helper()
	b := serving(t, web())
	c := *b.Config
	for _, h := range hooks {
		command := []string{"./" + string(h)}
		switch h {
		case config.HookBeforeStart:
			c.BeforeStart = command
		case config.HookBeforeStop:
			c.BeforeStop = command
		case config.HookAfterReload:
			c.AfterReload = command
		}
	}
	b.Config = &c
	b.Slots[0].Active.Release.Service = &c
	b.Slots[0].Good = b.Slots[0].Active.Release
	return b
}

func TestNothingIsStartedBeforeBeforeStartHasDoneWell(t *testing.T) {
	b := hooked(t, config.HookBeforeStart)
	b.ask(7)
	b.resolve("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "run before_start for 2")
	b.pass(time.Minute - 1)
	b.hookDone("")
	b.run()
	b.tell(lifecycle.Proved{Generation: 2, Needless: true})
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}

func TestFailedBeforeStartKeepsOldAndReportsItsLastLines(t *testing.T) {
	b := hooked(t, config.HookBeforeStart)
	b.ask(7)
	b.resolve("/releases/2")
	b.hookDone("exited with status 3", "no such table")
	e := b.ended()
	b.want(lifecycle.StateRunning, "resolve new", "run before_start for 2", "answer [7] kept_old")
	if e.Reason != "before_start: exited with status 3" || !slices.Equal(e.Tail, []string{"no such table"}) {
		t.Errorf("told is %q with the lines %q", e.Reason, e.Tail)
	}
	b.pass(time.Hour)
	b.want(lifecycle.StateRunning)
}

func TestABeforeStartThatFailsTheFirstStartSaysWhatItWrote(t *testing.T) {
	c := web()
	c.BeforeStart = []string{"./migrate"}
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	b.resolve("/releases/1")
	b.hookDone("exited with status 3", "no such table")
	if e := b.ended(); e.Kind != lifecycle.KindStartFailed || !slices.Equal(e.Tail, []string{"no such table"}) {
		t.Errorf("told is %s, with the lines %q", e.Kind, e.Tail)
	}
	b.want(lifecycle.StateStarting, "resolve new", "run before_start for 1", "resolve new") // at once: it is the first end
}

func TestABeforeStartThatTakesLongerThanStartTimeoutIsKilledAndTheOldOneKept(t *testing.T) {
	b := hooked(t, config.HookBeforeStart)
	b.ask(7)
	b.resolve("/releases/2")
	b.pass(time.Minute)
	if e := b.ended(); !strings.Contains(e.Reason, "longer than start_timeout (1m0s)") {
		t.Errorf("the reason is %q", e.Reason)
	}
	b.want(lifecycle.StateRunning, "resolve new", "run before_start for 2", "kill hook 1", "answer [7] kept_old")
	b.hookDone("") // it was on its way
	b.want(lifecycle.StateRunning)
}

func TestACrashRestartRunsNoBeforeStartUnlessItsReleaseIsGone(t *testing.T) {
	b := hooked(t, config.HookBeforeStart)
	b.exit(1, lifecycle.Exit{Code: 1})
	b.resolve("")
	b.want(lifecycle.StateStarting, "resolve /releases/1")
	b.exit(b.run(), lifecycle.Exit{Code: 1})
	b.pass(time.Second)
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config, Dir: "/releases/2"}})
	b.want(lifecycle.StateStarting, "resolve /releases/1", "run before_start for 3")
}

func TestAnOldOneThatDiesInBeforeStartLetsTheReloadGoOn(t *testing.T) {
	b := hooked(t, config.HookBeforeStart)
	b.ask(7)
	b.resolve("/releases/2")
	b.exit(1, lifecycle.Exit{Code: 1})
	b.hookDone("")
	b.run()
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "resolve new", "run before_start for 2", "answer [7] promoted")
}

func TestBeforeStopRunsBeforeTheStopSignalOfAReload(t *testing.T) {
	b := hooked(t, config.HookBeforeStop)
	b.ask(7)
	b.up("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "run before_stop for 1")
	b.pass(20 * time.Second)
	b.want(lifecycle.StateRunning)
	b.hookDone("")
	b.pass(0)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
	b.pass(30*time.Second - 1)
	b.want(lifecycle.StateRunning)
	b.pass(1) // all of stop_timeout from the signal on
	b.want(lifecycle.StateRunning, "KILL to the group of 1")
}

func TestBeforeStopRunsBeforeTheStopSignalOfAStop(t *testing.T) {
	b := hooked(t, config.HookBeforeStop)
	b.tell(lifecycle.Down{ID: 7})
	b.want(lifecycle.StateStopping, "run before_stop for 1")
	b.pass(29 * time.Second)
	b.hookDone("")
	b.want(lifecycle.StateStopping, "TERM to the main of 1")
	b.pass(30*time.Second - 1)
	b.want(lifecycle.StateStopping)
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateStopped, "answer [7] stopped")
}

func TestABeforeStopHasStopTimeoutAndItsFailureIsOnlyTold(t *testing.T) {
	for _, end := range []func(b *bench){
		func(b *bench) { b.pass(30 * time.Second) },
		func(b *bench) { b.hookDone("exited with status 1", "no such load balancer"); b.pass(0) },
	} {
		b := hooked(t, config.HookBeforeStop)
		b.ask(7)
		b.up("/releases/2")
		end(b)
		if !b.told(lifecycle.KindHookFailed) {
			t.Error("nobody hears that it failed")
		}
		got := slices.DeleteFunc(said(b.saw), func(line string) bool { return strings.HasPrefix(line, "kill hook") })
		if want := []string{"resolve new", "run before_stop for 1", "TERM to the main of 1", "answer [7] promoted"}; !slices.Equal(got, want) {
			t.Errorf("wanted done: %q, want %q", got, want)
		}
	}
}

func TestAnOldOneThatDiesInBeforeStopLetsTheNewOneGoOnAtOnce(t *testing.T) {
	b := hooked(t, config.HookBeforeStop)
	b.ask(7)
	b.up("/releases/2")
	b.exit(1, lifecycle.Exit{Code: 1})
	b.pass(0)
	b.want(lifecycle.StateRunning, "resolve new", "run before_stop for 1", "kill hook 1", "answer [7] promoted")
	b.pass(time.Hour)
	b.want(lifecycle.StateRunning)
}

func TestANewOneThatDiesInBeforeStopIsKeptOut(t *testing.T) {
	b := hooked(t, config.HookBeforeStop)
	b.ask(7)
	b.up("/releases/2")
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateRunning, "resolve new", "run before_stop for 1", "kill hook 1", "answer [7] kept_old")
	b.ask(8) // and the next reload runs it anew
	b.up("/releases/3")
	b.want(lifecycle.StateRunning, "resolve new", "run before_stop for 1")
	b.hookDone("")
	b.exit(3, lifecycle.Exit{Code: 1}) // before anybody could promote it
	b.want(lifecycle.StateRunning, "answer [8] kept_old")
	b.ask(9)
	b.up("/releases/4")
	b.want(lifecycle.StateRunning, "resolve new", "run before_stop for 1")
}

func TestAStopInBeforeStopLetsThatRunAndDropsTheNewOne(t *testing.T) {
	b := hooked(t, config.HookBeforeStop)
	b.ask(7)
	b.up("/releases/2")
	b.tell(lifecycle.Down{ID: 8})
	b.want(lifecycle.StateStopping, "resolve new", "run before_stop for 1", "answer [7] aborted", "TERM to the main of 2")
	b.hookDone("")
	b.want(lifecycle.StateStopping, "TERM to the main of 1")
}

func TestAfterReloadRunsWhateverTheResult(t *testing.T) {
	results := []struct {
		result lifecycle.Result
		become func(b *bench)
		about  string
	}{
		{lifecycle.ResultPromoted, func(b *bench) { b.up("/releases/2") }, "2"},
		{lifecycle.ResultKeptOld, func(b *bench) { b.exit(b.start("/releases/2"), lifecycle.Exit{Code: 1}) }, "2"},
		{lifecycle.ResultKeptOld, func(b *bench) { b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts, Reason: "no such directory"}) }, "0"},
	}
	for _, r := range results {
		b := hooked(t, config.HookAfterReload)
		b.ask(7)
		r.become(b)
		answered := slices.Contains(said(b.saw), "answer [7] "+string(r.result))
		ran := slices.Contains(said(b.saw), "run after_reload for "+r.about+" "+string(r.result))
		if !answered || !ran {
			t.Errorf("%s: answered %v, ran %v: %q", r.result, answered, ran, said(b.saw))
		}
		b.saw = nil
		b.ask(8) // which does not wait for it
		b.want(lifecycle.StateRunning, "resolve new")
	}
}

func TestAfterReloadHearsOfARollBackToo(t *testing.T) {
	b := hooked(t, config.HookAfterReload)
	c := *b.Config
	c.Probation = 10 * time.Second
	b.Config = &c
	b.ask(7)
	b.up("/releases/2")
	b.saw = nil
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "run after_reload for 2 rolled_back", "resolve /releases/1")
}

func TestAnAfterReloadThatNeverEndsIsKilled(t *testing.T) {
	b := hooked(t, config.HookAfterReload)
	b.ask(7)
	b.up("/releases/2")
	b.exit(1, lifecycle.Exit{})
	b.saw = nil
	b.pass(time.Minute)
	if !b.told(lifecycle.KindHookFailed) {
		t.Error("no event tells of it")
	}
	b.want(lifecycle.StateRunning, "kill hook 1")
	if b.Deadline() != lifecycle.Never {
		t.Error("idle, but waits")
	}
}

func TestATermKillsHooks(t *testing.T) {
	phases := []struct {
		name  string
		hook  config.Hook
		reach func(b *bench)
		then  []string
	}{
		{"before_start", config.HookBeforeStart, func(b *bench) { b.ask(7); b.resolve("/releases/2") }, []string{"answer [7] aborted", "kill hook 1", "TERM to the main of 1"}},
		{"after_reload", config.HookAfterReload, func(b *bench) { b.ask(7); b.up("/releases/2"); b.exit(1, lifecycle.Exit{}) }, []string{"kill hook 1", "TERM to the main of 2"}},
	}
	for _, p := range phases {
		t.Run(p.name, func(t *testing.T) {
			b := hooked(t, p.hook)
			p.reach(b)
			b.saw = nil
			b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
			b.want(lifecycle.StateStopping, p.then...)
			b.hookDone("killed by signal KILL")
			for _, l := range b.Living() {
				b.exit(l.Generation, lifecycle.Exit{})
			}
			b.want(lifecycle.StateStopped, "ended")
		})
	}
}

func TestTheBudgetOfTheEndHoldsForBeforeStopToo(t *testing.T) {
	b := hooked(t, config.HookBeforeStop)
	b.tell(lifecycle.Stop{Until: b.now.Add(10 * time.Second), Why: lifecycle.StopShutdown})
	b.want(lifecycle.StateStopping, "run before_stop for 1")
	b.pass(10 * time.Second)
	b.want(lifecycle.StateStopping, "kill hook 1", "KILL to the group of 1")
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateStopped, "ended")
}

func TestASecondIntKillsBeforeStopToo(t *testing.T) {
	b := hooked(t, config.HookBeforeStop)
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	b.tell(lifecycle.Kill{})
	b.want(lifecycle.StateStopping, "run before_stop for 1", "kill hook 1", "KILL to the group of 1")
}

func TestLeaveKillsHooks(t *testing.T) {
	for name, reach := range map[string]func(b *bench){
		"at a reload": func(b *bench) { b.ask(7); b.up("/releases/2") },
		"at a stop":   func(b *bench) { b.tell(lifecycle.Down{ID: 7}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := hooked(t, config.HookBeforeStop)
			reach(b)
			b.saw = nil
			b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopLeave})
			if !slices.Contains(said(b.saw), "kill hook 1") {
				t.Errorf("wanted done: %q, want the hook killed", said(b.saw))
			}
		})
	}
}

func TestTheRestOfAGroupWhoseMainProcessDiesInBeforeStopGetsStopTimeout(t *testing.T) {
	for _, mode := range []config.KillMode{config.KillMixed, config.KillGroup} {
		b := hooked(t, config.HookBeforeStop)
		b.Slots[0].Active.Release.Service.KillMode = mode
		b.tell(lifecycle.Down{ID: 7})
		b.exit(1, lifecycle.Exit{Rest: true})
		b.want(lifecycle.StateStopping, "run before_stop for 1", "kill hook 1", "TERM to the group of 1")
		b.pass(30 * time.Second)
		b.want(lifecycle.StateStopping, "KILL to the group of 1")
	}
}
