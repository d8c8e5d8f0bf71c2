package lifecycle_test

import (
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// task is a service whose program ends by itself.
func task() *config.Service {
	c := web()
	c.Restart = config.RestartOnFailure
	return c
}

// isDone returns a machine whose generation 1 has ended with success.
func isDone(t *testing.T) *bench {
	t.Helper()
	b := serving(t, task())
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateDone)
	return b
}

// How long a task takes is not known: some take less than their warm-up.
func TestATaskIsDoneHoweverSoonItEnds(t *testing.T) {
	for name, c := range map[string]struct {
		warmup, takes time.Duration
		restart       config.Restart
	}{
		"before its warm-up is over":       {time.Second, 100 * time.Millisecond, config.RestartOnFailure},
		"before it, restart = no":          {time.Second, 100 * time.Millisecond, config.RestartNo},
		"at once, and warmup is 0":         {0, 0, config.RestartOnFailure},
		"a moment later, and warmup is 0":  {0, time.Millisecond, config.RestartNo},
		"long after its warm-up":           {time.Second, time.Hour, config.RestartNo},
		"before a warm-up that is endless": {config.Infinity, time.Hour, config.RestartOnFailure},
	} {
		t.Run(name, func(t *testing.T) {
			s := task()
			s.Warmup, s.Restart = c.warmup, c.restart
			b := newBench(t, s)
			b.tell(lifecycle.Start{})
			n := b.start("/releases/1")
			if c.takes > 0 {
				b.pass(c.takes)
			}
			b.exit(n, lifecycle.Exit{})
			b.want(lifecycle.StateDone, "resolve new")
			b.pass(time.Hour)
			b.want(lifecycle.StateDone)
			if told := b.Machine.ToldReady; !told {
				t.Error("what depends on it is not started")
			}
		})
	}
}

func TestATaskThatFailsIsTriedAgainAsRestartSays(t *testing.T) {
	for restart, want := range map[config.Restart]lifecycle.State{config.RestartOnFailure: lifecycle.StateStarting, config.RestartNo: lifecycle.StateFailed} {
		for when, takes := range map[string]time.Duration{"before": 0, "after": time.Minute} {
			t.Run(string(restart)+", "+when+" its warm-up", func(t *testing.T) {
				c := task()
				c.Restart = restart
				b := newBench(t, c)
				b.tell(lifecycle.Start{})
				n := b.start("/releases/1")
				b.pass(takes)
				b.exit(n, lifecycle.Exit{Code: 1})
				if got := b.State(); got != want {
					t.Errorf("state is %s, want %s", got, want)
				}
				if b.ToldReady {
					t.Error("what depends on it is started")
				}
			})
		}
	}
}

// The new one may have put itself into the background, or not have understood its
// arguments.
func TestEndWithSuccessOfWhatIsToTakeThePlaceOfAServerIsAFailure(t *testing.T) {
	for name, change := range map[string]func(c *config.Service){
		"start-first": func(*config.Service) {},
		"stop-first":  func(c *config.Service) { c.Reload = config.ReloadStopFirst },
	} {
		t.Run(name, func(t *testing.T) {
			c := task()
			change(c)
			b := serving(t, c)
			b.ask(7)
			b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: c, Dir: "/releases/2"}})
			if c.Reload == config.ReloadStopFirst {
				b.exit(1, lifecycle.Exit{})
			}
			b.exit(b.run(), lifecycle.Exit{})
			if c.Reload == config.ReloadStartFirst {
				b.want(lifecycle.StateRunning, "resolve new", "answer [7] kept_old")
			}
			if got := b.State(); got == lifecycle.StateDone || got == lifecycle.StateFailed {
				t.Errorf("state is %s, and nothing serves any more", got)
			}
		})
	}
}

func TestEndWithSuccessOfAServerThatIsNotReadyIsAFailure(t *testing.T) {
	for name, change := range map[string]func(c *config.Service){
		"listen": func(c *config.Service) {
			c.Listen = []config.Listen{{Name: "web", Network: "tcp", Address: "127.0.0.1:80"}}
		},
		"ready":   func(c *config.Service) { c.Ready = &config.Ready{Kind: config.ReadyTCP, Address: "127.0.0.1:80"} },
		"publish": func(c *config.Service) { c.Publish = "/run/web.sock" },
	} {
		t.Run(name, func(t *testing.T) {
			c := task()
			change(c)
			b := newBench(t, c)
			b.tell(lifecycle.Start{})
			b.exit(b.start("/releases/1"), lifecycle.Exit{})
			if got := b.State(); got != lifecycle.StateStarting { // again
				t.Errorf("state is %s, want another start", got)
			}
		})
	}
}

func TestWhatWentIntoTheBackgroundIsNotDone(t *testing.T) {
	b := newBench(t, task())
	b.tell(lifecycle.Start{})
	b.exit(b.start("/releases/1"), lifecycle.Exit{Rest: true})
	if got := b.State(); got == lifecycle.StateDone {
		t.Errorf("state is %s", got)
	}
}

func TestAReloadRunsATaskOnceMore(t *testing.T) {
	b := isDone(t)
	b.ask(7)
	b.want(lifecycle.StateStarting, "resolve new")
	b.exit(b.start("/releases/2"), lifecycle.Exit{})
	b.want(lifecycle.StateDone, "answer [7] started")
}

func TestAReloadOfWhatChangedLeavesATaskAlone(t *testing.T) {
	b := isDone(t)
	ask := func(id uint64, dir string) {
		b.tell(lifecycle.Reload{ID: id, Config: b.Config, Changed: true})
		b.turn()
		b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config, Dir: dir}})
	}
	ask(7, "/releases/1")
	b.want(lifecycle.StateDone, "resolve new", "answer [7] skipped")
	if !b.NothingNew(&release.Release{Service: b.Config, Dir: "/releases/1"}) {
		t.Error("a plan would run it once more")
	}
	ask(8, "/releases/2")
	b.exit(b.run(), lifecycle.Exit{})
	b.want(lifecycle.StateDone, "resolve new", "answer [8] started")
}

// Whether it fails before its warm-up is over or after it: a task that was done is not
// done again in the place of one that failed.
func TestATaskWhoseNewReleaseFailsIsTriedAgainWithThat(t *testing.T) {
	for name, takes := range map[string]time.Duration{"before its warm-up is over": 0, "after it": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			b := isDone(t)
			b.ask(7)
			n := b.start("/releases/2")
			b.pass(takes)
			b.exit(n, lifecycle.Exit{Code: 1})
			for b.wants.Reuse == nil && b.State() != lifecycle.StateStarting {
				b.pass(time.Second)
			}
			if r := b.wants.Reuse; r != nil && r.Dir != "/releases/2" {
				t.Errorf("it is tried again with %s", r.Dir)
			}
			if b.ToldReady {
				t.Error("what depends on it may start")
			}
		})
	}
}

func TestATaskThatCannotBeMadeStaysDone(t *testing.T) {
	b := isDone(t)
	b.ask(7)
	b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts, Reason: "no directory"})
	b.want(lifecycle.StateDone, "resolve new", "answer [7] failed")
}

// The one that came up failed, and nothing was ever started again.
func TestTheEndOfTheOldOneWithSuccessDoesNotDecideForTheNewOne(t *testing.T) {
	b := serving(t, task())
	b.ask(7)
	n := b.start("/releases/2")
	b.exit(1, lifecycle.Exit{})
	if got := b.State(); got != lifecycle.StateStarting {
		t.Errorf("state is %s", got)
	}
	b.exit(n, lifecycle.Exit{Code: 3})
	b.pass(time.Minute)
	if got := b.State(); got == lifecycle.StateDone || got == lifecycle.StateFailed {
		t.Errorf("state is %s, and it ended with status 3", got)
	}
}

// Clients are led to it: that it ended is no success, whatever its exit code.
func TestAServerIsNeverDone(t *testing.T) {
	c := task()
	c.Ready = &config.Ready{Kind: config.ReadyNotify}
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	n := b.start("/releases/1")
	b.tell(lifecycle.Notified{Generation: n, Ready: true})
	b.pass(time.Second)
	b.exit(n, lifecycle.Exit{})
	b.want(lifecycle.StateFailed, "resolve new")
	if b.ToldReady {
		t.Error("what depends on it may start")
	}
}

func TestWhoAsksForAStartWhileATaskRunsIsAnsweredByItsEnd(t *testing.T) {
	b := newBench(t, task())
	b.tell(lifecycle.Start{})
	n := b.start("/releases/1")
	b.demand("start", 7)
	b.exit(n, lifecycle.Exit{})
	b.pass(time.Minute)
	b.turn()
	b.want(lifecycle.StateDone, "resolve new", "answer [7] started")
	b.demand("start", 8)
	b.turn()
	b.want(lifecycle.StateStarting, "resolve new")
}

func TestATaskThatIsToRunAlwaysFromNowOnIsStartedByAReloadOfWhatChanged(t *testing.T) {
	b := isDone(t)
	c := *b.Config
	c.Restart = config.RestartAlways
	b.tell(lifecycle.Reload{ID: 7, Config: &c, Changed: true})
	b.turn()
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: &c, Dir: "/releases/1"}})
	b.want(lifecycle.StateStarting, "resolve new")
}

func TestATaskIsDoneWhateverBecomesOfWhatItDependsOn(t *testing.T) {
	b := isDone(t)
	b.tell(lifecycle.Await{Names: []string{"db"}})
	b.want(lifecycle.StateDone)
	if !b.ToldReady {
		t.Error("what depends on it would wait")
	}
	b.demand("start", 7) // which waits for it
	b.turn()
	b.want(lifecycle.StateWaiting)
}
