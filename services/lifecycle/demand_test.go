package lifecycle_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// phases are what a service can be in when somebody asks something of it.
var phases = map[string]func(t *testing.T) *bench{
	"idle": func(t *testing.T) *bench { return serving(t, web()) },
	"first start": func(t *testing.T) *bench {
		b := newBench(t, web())
		b.tell(lifecycle.Start{})
		b.start("/releases/1")
		return b
	},
	"resolving": func(t *testing.T) *bench {
		b := serving(t, web())
		b.ask(7)
		return b
	},
	"warm-up": func(t *testing.T) *bench {
		b := serving(t, web())
		b.ask(7)
		b.start("/releases/2")
		return b
	},
	"draining": func(t *testing.T) *bench {
		b := serving(t, web())
		b.ask(7)
		b.up("/releases/2")
		return b
	},
	"backoff": func(t *testing.T) *bench {
		b := serving(t, web())
		b.exit(1, lifecycle.Exit{Code: 1})
		b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts})
		return b
	},
	"failed": func(t *testing.T) *bench {
		c := web()
		c.RestartLimit = 1
		b := serving(t, c)
		b.exit(1, lifecycle.Exit{Code: 1})
		return b
	},
	"stopping": func(t *testing.T) *bench {
		b := serving(t, web())
		b.tell(lifecycle.Down{ID: 7})
		return b
	},
	"stopped": func(t *testing.T) *bench {
		b := serving(t, web())
		b.tell(lifecycle.Down{ID: 7})
		b.exit(1, lifecycle.Exit{})
		return b
	},
	"restarting": func(t *testing.T) *bench {
		b := serving(t, web())
		b.tell(lifecycle.Restart{ID: 7, Config: b.Config})
		return b
	},
	"removed": func(t *testing.T) *bench {
		b := serving(t, web())
		b.tell(lifecycle.Stop{ID: 7, Until: lifecycle.Never, Why: lifecycle.StopRemoved})
		return b
	},
	"ending": func(t *testing.T) *bench {
		b := serving(t, web())
		b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
		return b
	},
}

func TestEveryRequestHasItsResultInEveryPhase(t *testing.T) {
	cases := []struct{ what, phase, now, then, state string }{
		{"start", "idle", "answer [9] skipped", "", "running"},
		{"start", "first start", "", "answer [9] started", "running"},
		{"start", "resolving", "answer [9] skipped", "TERM to the main of 1, answer [7] promoted", "running"},
		{"start", "warm-up", "answer [9] skipped", "TERM to the main of 1, answer [7] promoted", "running"},
		{"start", "draining", "answer [9] skipped", "", "running"},
		{"start", "backoff", "resolve new", "answer [9] started", "running"},
		{"start", "failed", "resolve new", "answer [9] started", "running"},
		{"start", "stopping", "answer [7] aborted, resolve new", "answer [9] started", "running"},
		{"start", "stopped", "resolve new", "answer [9] started", "running"},
		{"start", "restarting", "", "resolve new, answer [7 9] started", "running"},
		{"start", "removed", "answer [9] aborted", "answer [7] stopped", "stopped"},
		{"start", "ending", "answer [9] aborted", "ended", "stopped"},
		{"stop", "idle", "TERM to the main of 1", "answer [9] stopped", "stopped"},
		{"stop", "first start", "TERM to the main of 1", "answer [9] stopped", "stopped"},
		{"stop", "resolving", "answer [7] aborted, TERM to the main of 1", "answer [9] stopped", "stopped"},
		{"stop", "warm-up", "answer [7] aborted, TERM to the main of 2, TERM to the main of 1", "answer [9] stopped", "stopped"},
		{"stop", "draining", "TERM to the main of 2", "answer [9] stopped", "stopped"},
		{"stop", "backoff", "answer [9] stopped", "", "stopped"},
		{"stop", "failed", "answer [9] stopped", "", "stopped"},
		{"stop", "stopping", "", "answer [7 9] stopped", "stopped"},
		{"stop", "stopped", "answer [9] stopped", "", "stopped"},
		{"stop", "restarting", "answer [7] aborted", "answer [9] stopped", "stopped"},
		{"stop", "removed", "answer [9] aborted", "answer [7] stopped", "stopped"},
		{"stop", "ending", "answer [9] aborted", "ended", "stopped"},
		{"restart", "idle", "TERM to the main of 1", "resolve new, answer [9] started", "running"},
		{"restart", "first start", "TERM to the main of 1", "resolve new, answer [9] started", "running"},
		{"restart", "resolving", "TERM to the main of 1", "resolve new, answer [9 7] started", "running"},
		{"restart", "warm-up", "TERM to the main of 2, TERM to the main of 1", "resolve new, answer [9 7] started", "running"},
		{"restart", "draining", "TERM to the main of 2", "resolve new, answer [9] started", "running"},
		{"restart", "backoff", "resolve new", "answer [9] started", "running"},
		{"restart", "failed", "resolve new", "answer [9] started", "running"},
		{"restart", "stopping", "", "answer [7] stopped, resolve new, answer [9] started", "running"},
		{"restart", "stopped", "resolve new", "answer [9] started", "running"},
		{"restart", "restarting", "", "resolve new, answer [7 9] started", "running"},
		{"restart", "removed", "answer [9] aborted", "answer [7] stopped", "stopped"},
		{"restart", "ending", "answer [9] aborted", "ended", "stopped"},
		{"reload", "idle", "resolve new", "TERM to the main of 1, answer [9] promoted", "running"},
		{"reload", "first start", "", "resolve new, TERM to the main of 1, answer [9] promoted", "running"},
		{"reload", "resolving", "", "TERM to the main of 1, answer [7] promoted, resolve new, TERM to the main of 2, answer [9] promoted", "running"},
		{"reload", "warm-up", "", "TERM to the main of 1, answer [7] promoted, resolve new, TERM to the main of 2, answer [9] promoted", "running"},
		{"reload", "draining", "resolve new", "TERM to the main of 2, answer [9] promoted", "running"},
		{"reload", "backoff", "resolve new", "answer [9] started", "running"},
		{"reload", "failed", "resolve new", "answer [9] started", "running"},
		{"reload", "stopping", "answer [9] skipped", "answer [7] stopped", "stopped"},
		{"reload", "stopped", "answer [9] skipped", "", "stopped"},
		{"reload", "restarting", "", "resolve new, answer [7 9] started", "running"},
		{"reload", "removed", "answer [9] aborted", "answer [7] stopped", "stopped"},
		{"reload", "ending", "answer [9] aborted", "ended", "stopped"},
		{"signal", "idle", "pass HUP to 1, answer [9] signalled", "", "running"},
		{"signal", "first start", "answer [9] failed", "", "running"},
		{"signal", "resolving", "pass HUP to 1, answer [9] signalled", "TERM to the main of 1, answer [7] promoted", "running"},
		{"signal", "warm-up", "pass HUP to 1, answer [9] signalled", "TERM to the main of 1, answer [7] promoted", "running"},
		{"signal", "draining", "pass HUP to 2, answer [9] signalled", "", "running"},
		{"signal", "backoff", "answer [9] failed", "", "backoff"},
		{"signal", "failed", "answer [9] failed", "", "failed"},
		{"signal", "stopping", "answer [9] failed", "answer [7] stopped", "stopped"},
		{"signal", "stopped", "answer [9] failed", "", "stopped"},
		{"signal", "restarting", "answer [9] failed", "resolve new, answer [7] started", "running"},
		{"signal", "removed", "answer [9] failed", "answer [7] stopped", "stopped"},
		{"signal", "ending", "answer [9] failed", "ended", "stopped"},
	}
	for _, c := range cases {
		t.Run(c.what+", "+c.phase, func(t *testing.T) {
			b := phases[c.phase](t)
			b.saw = nil
			b.demand(c.what, 9)
			if got := strings.Join(said(b.saw), ", "); got != c.now {
				t.Errorf("wanted done: %s; want %s", got, c.now)
			}
			b.saw = nil
			b.rest()
			if got := strings.Join(said(b.saw), ", "); got != c.then {
				t.Errorf("wanted done then: %s; want %s", got, c.then)
			}
			if got := string(b.State()); got != c.state {
				t.Errorf("it is %s in the end, want %s", got, c.state)
			}
		})
	}
}

// rest lets all that is under way come to its end: what was told to end does so,
// what is incoming is good.
func (b *bench) rest() {
	b.t.Helper()
	for range 10 {
		b.turn()
		for _, l := range b.Living() {
			if l.Phase == lifecycle.PhaseDraining {
				b.exit(l.Generation, lifecycle.Exit{})
			}
		}
		switch g := b.Slots[0].Incoming; {
		case g == nil:
		case g.Phase == lifecycle.PhaseResolving:
			b.up("/releases/3")
		default:
			b.pass(b.Config.Warmup)
		}
	}
	if len(b.Living()) > 1 || b.Slots[0].Incoming != nil {
		b.t.Errorf("it does not come to rest: %v live", b.Living())
	}
}

// demand asks for something and gives the turn that the machine may ask for.
func (b *bench) demand(what string, id uint64) {
	b.t.Helper()
	switch what {
	case "start":
		b.tell(lifecycle.Up{ID: id, Config: b.Config})
	case "stop":
		b.tell(lifecycle.Down{ID: id})
	case "restart":
		b.tell(lifecycle.Restart{ID: id, Config: b.Config})
	case "reload":
		b.tell(lifecycle.Reload{ID: id, Config: b.Config})
	case "signal":
		b.tell(lifecycle.Forward{ID: id, Signal: syscall.SIGHUP})
	default:
		b.t.Fatalf("cannot ask for a %s", what)
	}
	b.turn()
}

func TestAStopIsKeptOverReloadsUntilAStart(t *testing.T) {
	b := phases["stopped"](t)
	b.saw = nil
	b.pass(time.Hour)
	b.demand("reload", 8)
	b.want(lifecycle.StateStopped, "answer [8] skipped")
	if b.Wanted() != lifecycle.WantedDown {
		t.Errorf("it is wanted %q, want down", b.Wanted())
	}
	b.demand("start", 9)
	b.up("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "answer [9] started")
	if b.Wanted() != lifecycle.WantedUp {
		t.Errorf("it is wanted %q, want up", b.Wanted())
	}
}

func TestARestartAnswersAllThatWaitedAndAStopTakesItBack(t *testing.T) {
	b := phases["warm-up"](t)
	b.demand("reload", 8)
	b.demand("restart", 9)
	b.demand("start", 10)
	b.saw = nil
	b.demand("stop", 11)
	b.want(lifecycle.StateStopping, "answer [9 7 8 10] aborted")
	b.rest()
	b.want(lifecycle.StateStopped, "answer [11] stopped")
}

func TestARestartIsNotOvertakenByTheBackoff(t *testing.T) {
	b := phases["backoff"](t)
	b.saw = nil
	b.tell(lifecycle.Restart{ID: 9, Config: b.Config})
	b.pass(time.Hour) // others have all the turns
	b.want(lifecycle.StateStopped)
	b.turn()
	b.up("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "answer [9] started")
}

func TestARestartDoesNotWaitForWhatDoesNotEvenDieOfKill(t *testing.T) {
	b := phases["restarting"](t)
	b.pass(30 * time.Second)
	b.want(lifecycle.StateStopping, "TERM to the main of 1", "KILL to the group of 1")
	b.pass(5 * time.Second)
	b.turn()
	b.want(lifecycle.StateStarting, "resolve new")
}

func TestATermWinsOverAStop(t *testing.T) {
	for _, phase := range []string{"stopping", "restarting"} {
		b := phases[phase](t)
		b.saw = nil
		b.tell(lifecycle.Stop{Until: b.now.Add(time.Second), Why: lifecycle.StopShutdown})
		b.pass(time.Second)
		b.want(lifecycle.StateStopping, "answer [7] aborted", "KILL to the group of 1")
		b.exit(1, lifecycle.Exit{Signal: syscall.SIGKILL})
		b.want(lifecycle.StateStopped, "ended")
	}
}

func TestWhatIsRemovedWhileItStopsComesBackAsAutostartSays(t *testing.T) {
	b := phases["stopping"](t)
	b.saw = nil
	b.tell(lifecycle.Stop{ID: 8, Until: lifecycle.Never, Why: lifecycle.StopRemoved})
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateStopped, "answer [7] aborted", "answer [8] stopped")
	b.tell(lifecycle.Declare{Config: b.Config})
	b.demand("reload", 9)
	b.want(lifecycle.StateStarting, "resolve new")
	if b.Wanted() != "" {
		t.Errorf("it is wanted %q, want what autostart says", b.Wanted())
	}
}

func TestWhatWasStoppedAndRemovedIsNotWantedDownWhenItIsAskedForAgain(t *testing.T) {
	b := serving(t, web())
	b.tell(lifecycle.Down{ID: 7})
	if !b.Down() {
		t.Error("it was stopped, and is not wanted down")
	}
	b.exit(1, lifecycle.Exit{})
	b.tell(lifecycle.Stop{ID: 8, Until: lifecycle.Never, Why: lifecycle.StopRemoved})
	if b.Down() {
		t.Error("it was removed, and is wanted down when it comes back")
	}
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	if !b.Down() {
		t.Error("hupwatch ends, and it is wanted up")
	}
}

func TestWantedStateIsKeptByLeaveAndForgottenByShutdown(t *testing.T) {
	for why, want := range map[lifecycle.StopCause]lifecycle.Wanted{lifecycle.StopLeave: lifecycle.WantedDown, lifecycle.StopShutdown: ""} {
		b := phases["stopped"](t)
		b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: why})
		if got := b.Wanted(); got != want {
			t.Errorf("%s: it is wanted %q, want %q", why, got, want)
		}
	}
}

func TestAnEssentialServiceThatWasStoppedIsNotDownForGood(t *testing.T) {
	c := web()
	c.Essential, c.Restart = true, config.RestartNo
	b := serving(t, c)
	b.demand("stop", 7)
	b.exit(1, lifecycle.Exit{Code: 3})
	b.pass(time.Hour)
	b.want(lifecycle.StateStopped, "TERM to the main of 1", "answer [7] stopped")
	b.demand("start", 8)
	b.up("/releases/1")
	b.exit(2, lifecycle.Exit{Code: 3})
	b.want(lifecycle.StateFailed, "resolve new", "answer [8] started", "down for good, code 3")
}

func TestEventsOfAStopSayWhoAskedForIt(t *testing.T) {
	for _, what := range []string{"stop", "restart"} {
		b := phases["draining"](t)
		b.saw = nil
		b.demand(what, 9)
		b.exit(2, lifecycle.Exit{})
		kinds := []lifecycle.Kind{lifecycle.KindStopSignalled, lifecycle.KindExited}
		for _, e := range b.saw {
			if e, ok := e.(lifecycle.Emit); ok && slices.Contains(kinds, e.Event.Kind) && !slices.Equal(e.Event.Reloads, []uint64{9}) {
				t.Errorf("%s: %s is said to be for %v, want 9", what, e.Event.Kind, e.Event.Reloads)
			}
		}
	}
}

// listening is a service that listens on a port.
func listening(ports ...string) *config.Service {
	c := web()
	for _, port := range ports {
		c.Listen = append(c.Listen, config.Listen{Network: "tcp", Address: "127.0.0.1:" + port, Name: "web"})
	}
	return c
}

// A fork that hung ends late, and then hupwatch closes the sockets nobody needs.
func TestARestartKeepsItsSocketsOpen(t *testing.T) {
	late := []lifecycle.Input{lifecycle.Spawned{Generation: 2, PID: 102}, lifecycle.SpawnFailed{Generation: 2}}
	for _, in := range late {
		b := serving(t, listening("8000"))
		b.ask(7)
		b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config}})
		b.demand("restart", 8)
		if kept := keeps(b.tell(in)); !slices.Contains(kept, b.Config.Listen[0]) {
			t.Errorf("%T: sockets kept: %v, want the one that it is about to be started with", in, kept)
		}
	}
}

func TestAStartThatIsFulfilledByAnotherLeavesNoSocketOpen(t *testing.T) {
	b := serving(t, listening("8000"))
	b.Config = listening("8001")
	b.ask(7)
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config}})
	b.pass(time.Minute) // its fork hangs, and is given up
	b.exit(1, lifecycle.Exit{Code: 1})
	b.tell(lifecycle.Up{ID: 8, Config: b.Config})
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: b.Slots[0].Good})
	b.tell(lifecycle.Spawned{Generation: 3, PID: 103})
	b.tell(lifecycle.Execed{Generation: 3})
	b.tell(lifecycle.Spawned{Generation: 2, PID: 102})
	b.saw = nil
	b.pass(time.Second)
	kept := keeps(b.saw)
	b.want(lifecycle.StateRunning, "answer [8] started")
	if !slices.Contains(kept, listening("8000").Listen[0]) || slices.Contains(kept, b.Config.Listen[0]) {
		t.Errorf("sockets kept: %v, want that of the generation that serves", kept)
	}
}
