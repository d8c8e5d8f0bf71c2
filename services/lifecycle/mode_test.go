package lifecycle_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

func stopFirst() *config.Service {
	c := web()
	c.Reload = config.ReloadStopFirst
	return c
}

func TestStopFirstStartsTheNewOneOnceTheOldOneIsGone(t *testing.T) {
	c := stopFirst()
	c.BeforeStart, c.BeforeStop = []string{"./migrate"}, []string{"./drain"}
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	b.resolve("/releases/1")
	b.hookDone("")
	b.run()
	b.pass(time.Second)
	b.saw = nil

	b.ask(7)
	b.resolve("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "run before_start for 2")
	b.hookDone("")
	b.want(lifecycle.StateStarting, "run before_stop for 1")
	b.hookDone("")
	b.want(lifecycle.StateStarting, "TERM to the main of 1")
	b.tell(lifecycle.Exited{Generation: 1, Exit: lifecycle.Exit{Rest: true}})
	b.want(lifecycle.StateStarting, "TERM to the group of 1")
	if launched(b, 2) {
		t.Fatal("it is started while others of the old group live")
	}
	b.tell(lifecycle.Emptied{Generation: 1})
	if !launched(b, 2) {
		t.Fatal("it is not started")
	}
	b.run()
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "answer [7] promoted")
}

// launched is whether the machine wants a generation started, since the last want.
func launched(b *bench, generation int) bool {
	for _, e := range b.saw {
		if e, ok := e.(lifecycle.Launch); ok && e.Generation == generation {
			return true
		}
	}
	return false
}

func TestStopFirstKeepsOldWhenNewCannotBePrepared(t *testing.T) {
	for name, fail := range map[string]func(b *bench){
		"resolve":      func(b *bench) { b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts, Reason: "no such directory"}) },
		"before_start": func(b *bench) { b.resolve("/releases/2"); b.hookDone("exited with status 1") },
	} {
		t.Run(name, func(t *testing.T) {
			b := serving(t, web())
			c := stopFirst()
			c.BeforeStart = []string{"./migrate"}
			b.Config = c
			b.ask(7)
			b.saw = nil
			fail(b)
			if e := b.ended(); e.Result != lifecycle.ResultKeptOld {
				t.Errorf("the reload ended %s", e.Result)
			}
			for _, line := range said(b.saw) {
				if strings.Contains(line, "of 1") {
					t.Errorf("the old one hears of it: %s", line)
				}
			}
		})
	}
}

// stopped returns a machine whose old generation is gone, and whose generation 2 runs.
func stopped(t *testing.T) *bench {
	t.Helper()
	b := serving(t, stopFirst())
	b.ask(7)
	b.resolve("/releases/2")
	b.exit(1, lifecycle.Exit{})
	b.run()
	b.want(lifecycle.StateStarting, "resolve new", "TERM to the main of 1")
	return b
}

func TestStopFirstThatFailsStartsTheLastGoodReleaseAgain(t *testing.T) {
	b := stopped(t)
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/1") // at once
	b.resolve("")
	b.run()
	b.want(lifecycle.StateStarting)
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "answer [7] rolled_back")
	b.pass(time.Hour)
	b.exit(3, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/1")
}

func TestStopFirstThatFailsTwiceSaysThatNothingServes(t *testing.T) {
	b := stopped(t)
	b.exit(2, lifecycle.Exit{Code: 1})
	b.resolve("")
	b.exit(b.run(), lifecycle.Exit{Code: 2})
	if e := b.ended(); !strings.Contains(e.Reason, "status 1") || !strings.Contains(e.Reason, "status 2") {
		t.Errorf("the reason is %q", e.Reason)
	}
	b.want(lifecycle.StateStarting, "resolve /releases/1", "answer [7] failed", "resolve /releases/1")
}

// What cannot live twice cannot do so with a release that failed either.
func TestStopFirstStartsNothingWhileOneThatFailedLives(t *testing.T) {
	b := stopped(t)
	b.tell(lifecycle.Notified{Generation: 2, Stopping: true})
	b.want(lifecycle.StateStarting, "TERM to the main of 2", "resolve /releases/1")
	b.resolve("")
	if launched(b, 3) {
		t.Fatal("the last good release is started while the one that failed lives")
	}
	b.exit(2, lifecycle.Exit{})
	if !launched(b, 3) {
		t.Fatal("the last good release is not started")
	}
}

func TestStopFirstRestartsNothingWhileOthersOfTheCrashedGroupLive(t *testing.T) {
	b := serving(t, stopFirst())
	b.exit(1, lifecycle.Exit{Code: 1, Rest: true})
	b.resolve("")
	if launched(b, 2) {
		t.Fatal("it is started while others of the old group live")
	}
	b.tell(lifecycle.Emptied{Generation: 1})
	if !launched(b, 2) {
		t.Fatal("it is not started")
	}
}

func TestStopFirstGoesOnThoughTheOldOneDoesNotEvenDieOfKill(t *testing.T) {
	b := serving(t, stopFirst())
	b.ask(7)
	b.resolve("/releases/2")
	b.pass(30*time.Second + 5*time.Second)
	if !launched(b, 2) {
		t.Error("the new one is never started")
	}
}

func TestAStopWhileTheOldOneIsWaitedForStartsNothing(t *testing.T) {
	b := serving(t, stopFirst())
	b.ask(7)
	b.resolve("/releases/2")
	b.saw = nil
	b.tell(lifecycle.Down{ID: 8})
	b.exit(1, lifecycle.Exit{})
	if launched(b, 2) {
		t.Error("it is started")
	}
	b.want(lifecycle.StateStopped, "answer [7] aborted", "answer [8] stopped")
}

func TestATermEndsAReloadThatStopsFirstInEveryPhase(t *testing.T) {
	for name, reach := range map[string]func(b *bench){
		"waiting":  func(b *bench) { b.ask(7); b.resolve("/releases/2") },
		"starting": func(b *bench) { b.ask(7); b.resolve("/releases/2"); b.exit(1, lifecycle.Exit{}) },
		"warming":  func(b *bench) { b.ask(7); b.resolve("/releases/2"); b.exit(1, lifecycle.Exit{}); b.run() },
		"falling back": func(b *bench) {
			b.ask(7)
			b.resolve("/releases/2")
			b.exit(1, lifecycle.Exit{})
			b.exit(b.run(), lifecycle.Exit{Code: 1})
			b.resolve("")
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := serving(t, stopFirst())
			reach(b)
			b.tell(lifecycle.Stop{Until: b.now.Add(time.Minute), Why: lifecycle.StopShutdown})
			for _, l := range b.Living() {
				b.tell(lifecycle.Spawned{Generation: l.Generation, PID: 200})
				b.exit(l.Generation, lifecycle.Exit{})
			}
			got := strings.Join(said(b.saw), "\n")
			if !strings.Contains(got, "answer [7] aborted") || !strings.HasSuffix(got, "ended") {
				t.Errorf("wanted done:\n%s", got)
			}
		})
	}
}

// bySignal returns a machine whose generation 1 serves and reloads itself at HUP.
func bySignal(t *testing.T) *bench {
	t.Helper()
	c := web()
	c.Reload, c.ReloadSignal = config.ReloadSignal, syscall.SIGHUP
	return serving(t, c)
}

func TestReloadBySignalSendsItAndWatchesForTheWarmUp(t *testing.T) {
	b := bySignal(t)
	b.ask(7)
	b.resolve("/releases/1")
	b.want(lifecycle.StateRunning, "resolve new", "pass HUP to 1")
	b.pass(time.Second - 1)
	b.want(lifecycle.StateRunning)
	b.pass(1)
	b.want(lifecycle.StateRunning, "answer [7] signalled")
	b.pass(time.Hour)
	b.want(lifecycle.StateRunning)
}

// As where a Tick promotes: whoever gives it sees to it that this one lives.
func TestReloadBySignalChecksThatItLivesBeforeTheResult(t *testing.T) {
	b := bySignal(t)
	b.ask(7)
	b.resolve("/releases/1")
	b.want(lifecycle.StateRunning, "resolve new", "pass HUP to 1")
	if early, due := b.Warming(b.now.Add(time.Second-1)), b.Warming(b.now.Add(time.Second)); early != 0 || due != 1 {
		t.Errorf("Warming is %d, and %d when it is over; want 0 and 1", early, due)
	}
}

// probedBySignal returns a machine whose generation 1 has reloaded itself, and is asked
// in this way whether it is ready.
func probedBySignal(t *testing.T, kind config.ReadyKind) *bench {
	t.Helper()
	b := bySignal(t)
	c := *b.Config
	c.Ready = withReady(kind).Ready
	b.Config = &c
	b.ask(7)
	b.resolve("/releases/1")
	b.pass(time.Second)
	return b
}

func TestReloadBySignalFailsIfNotReadyAfterwards(t *testing.T) {
	b := probedBySignal(t, config.ReadyTCP)
	b.want(lifecycle.StateRunning, "resolve new", "pass HUP to 1")
	b.tell(lifecycle.Proved{Generation: 1, Failure: "connection refused"})
	if e := b.ended(); e.Result != lifecycle.ResultFailed || !strings.Contains(e.Reason, "after HUP it was not ready: connection refused") {
		t.Errorf("the reload ended %s: %q", e.Result, e.Reason)
	}
}

func TestReloadBySignalProbesAgainAfterALateAnswer(t *testing.T) {
	late := lifecycle.Proved{Generation: 1, Failure: "no answer within 2s", Late: true}
	b := probedBySignal(t, config.ReadyHTTP)
	for range 3 {
		b.tell(late)
		b.pass(250 * time.Millisecond)
	}
	b.tell(lifecycle.Proved{Generation: 1})
	b.want(lifecycle.StateRunning, "resolve new", "pass HUP to 1", "answer [7] signalled")

	b = probedBySignal(t, config.ReadyHTTP)
	b.fails(late)
	if e := b.ended(); e.Result != lifecycle.ResultFailed || !strings.Contains(e.Reason, "after HUP it was not ready: no answer within 2s") {
		t.Errorf("the reload ended %s: %q", e.Result, e.Reason)
	}
}

func TestReloadBySignalRestartsWhatDiesOfIt(t *testing.T) {
	b := bySignal(t)
	b.ask(7)
	b.resolve("/releases/1")
	b.saw = nil
	b.exit(1, lifecycle.Exit{Code: 1})
	if e := b.ended(); e.Result != lifecycle.ResultFailed || e.Reason != "exited with status 1 after HUP" {
		t.Errorf("the reload ended %s: %q", e.Result, e.Reason)
	}
	b.want(lifecycle.StateStarting, "answer [7] failed", "resolve /releases/1")
}

func TestReloadBySignalNamesKeysThatAreNotInForce(t *testing.T) {
	b := bySignal(t)
	c := *b.Config
	c.StopTimeout = time.Minute
	c.Environment = map[string]string{"A": "1"}
	b.Config = &c
	b.ask(7)
	b.resolve("/releases/1")
	b.pass(time.Second)
	if e := b.ended(); !strings.Contains(e.Reason, "not in force until it is started anew: environment") {
		t.Errorf("told is %q", e.Reason)
	}
}

func TestRequestsDuringReloadBySignalAreOneMoreReload(t *testing.T) {
	b := bySignal(t)
	b.ask(7)
	b.resolve("/releases/1")
	b.tell(lifecycle.Reload{ID: 8, Config: b.Config})
	b.tell(lifecycle.Reload{ID: 9, Config: b.Config})
	b.pass(time.Second)
	b.turn()
	b.resolve("/releases/1")
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "resolve new", "pass HUP to 1", "answer [7] signalled", "resolve new", "pass HUP to 1", "answer [8 9] signalled")
}

func TestTermDuringReloadBySignalStopsTheService(t *testing.T) {
	b := bySignal(t)
	b.ask(7)
	b.resolve("/releases/1")
	b.saw = nil
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateStopped, "answer [7] aborted", "TERM to the main of 1", "ended")
}

func TestReloadBySignalStartsAServiceThatDoesNotRun(t *testing.T) {
	b := bySignal(t)
	b.exit(1, lifecycle.Exit{Code: 1})
	b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts})
	b.saw = nil
	b.ask(7)
	b.resolve("/releases/2")
	b.run()
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "resolve new", "answer [7] started")
}
