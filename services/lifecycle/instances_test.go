package lifecycle_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

func several(n int) *config.Service {
	c := web()
	c.Instances = n
	return c
}

// farm returns a machine of which so many instances serve: generation 1 is instance
// 0, and so on.
func farm(t *testing.T, c *config.Service) *bench {
	t.Helper()
	b := newBench(t, c)
	b.boot()
	b.pass(c.Warmup)
	if n := len(b.serving()); n != c.Instances {
		t.Fatalf("%d instances serve, want %d", n, c.Instances)
	}
	b.saw = nil
	return b
}

// boot brings every instance as far as its first instruction.
func (b *bench) boot() {
	b.tell(lifecycle.Start{})
	b.resolve("/releases/1")
	b.run()
	for _, e := range slices.Clone(b.saw) {
		if e, ok := e.(lifecycle.Resolve); ok && e.Reuse != nil {
			b.tell(lifecycle.Resolved{Attempt: e.Attempt, Release: e.Reuse, Reused: true})
			b.run()
		}
	}
}

// serving says which generations serve, by instance, with their directories.
func (b *bench) serving() (all []string) {
	for i, sl := range b.Slots {
		if g := sl.Active; g != nil {
			all = append(all, fmt.Sprintf("%d: %d in %s", i, g.Number, g.Release.Dir))
		}
	}
	return all
}

func (b *bench) wantServing(want ...string) {
	b.t.Helper()
	if got := b.serving(); !slices.Equal(got, want) {
		b.t.Errorf("serving %q, want %q", got, want)
	}
}

// scale asks for a reload with another number of instances.
func (b *bench) scale(n int, id uint64) {
	c := *b.Config
	c.Instances = n
	b.Config = &c
	b.ask(id)
}

// next brings the instance being reloaded to the end of its warm-up.
func (b *bench) next(dir string) {
	b.resolve(dir)
	n := b.run()
	b.tell(lifecycle.Proved{Generation: n, Needless: true})
	b.pass(b.Config.Warmup)
}

func TestInstancesAreReloadedOneAfterTheOtherWithOneRelease(t *testing.T) {
	b := farm(t, several(3))
	b.ask(7)
	b.next("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "resolve /releases/2")
	b.next("")
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "resolve /releases/2")
	b.next("")
	b.want(lifecycle.StateRunning, "TERM to the main of 3", "answer [7] promoted")
	b.wantServing("0: 4 in /releases/2", "1: 5 in /releases/2", "2: 6 in /releases/2")
}

func TestAFailureAtTheFirstInstanceKeepsAllOfTheOld(t *testing.T) {
	b := farm(t, several(3))
	b.ask(7)
	b.resolve("/releases/2")
	b.exit(b.run(), lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateRunning, "resolve new", "answer [7] kept_old")
	b.wantServing("0: 1 in /releases/1", "1: 2 in /releases/1", "2: 3 in /releases/1")
}

func TestAFailureAtALaterInstanceStopsThere(t *testing.T) {
	b := farm(t, several(3))
	b.ask(7)
	b.next("/releases/2")
	b.resolve("")
	b.exit(b.run(), lifecycle.Exit{Code: 1})
	b.pass(time.Hour)
	b.saw = slices.DeleteFunc(b.saw, func(e lifecycle.Effect) bool { _, ok := e.(lifecycle.Signal); return ok })
	b.want(lifecycle.StateRunning, "resolve new", "resolve /releases/2", "answer [7] partial")
	b.wantServing("0: 4 in /releases/2", "1: 2 in /releases/1", "2: 3 in /releases/1")
	for generation, dir := range map[int]string{4: "/releases/2", 3: "/releases/1"} { // each its own
		b.exit(generation, lifecycle.Exit{Code: 1})
		b.want(lifecycle.StateStarting, "resolve "+dir)
		b.resolve("")
		b.run()
		b.pass(time.Second)
		b.saw = nil
	}
}

func TestAReloadWithMoreInstancesStartsThem(t *testing.T) {
	b := farm(t, several(1))
	b.scale(3, 7)
	for range 3 {
		b.next("/releases/2")
	}
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "resolve /releases/2", "resolve /releases/2", "answer [7] promoted")
	b.wantServing("0: 2 in /releases/2", "1: 3 in /releases/2", "2: 4 in /releases/2")
}

func TestAReloadWithFewerInstancesStopsTheRestOnceItIsDone(t *testing.T) {
	b := farm(t, several(3))
	b.scale(1, 7)
	b.next("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "TERM to the main of 2", "TERM to the main of 3", "answer [7] promoted")
	for _, generation := range []int{3, 1, 2} {
		b.exit(generation, lifecycle.Exit{})
	}
	if len(b.Slots) != 1 || b.Deadline() < b.now.Add(-time.Hour) {
		t.Errorf("%d slots are left", len(b.Slots))
	}
	b.wantServing("0: 4 in /releases/2")
}

func TestAReloadThatFailsLeavesTheNumberOfInstances(t *testing.T) {
	for _, n := range []int{1, 5} {
		b := farm(t, several(3))
		b.scale(n, 7)
		b.resolve("/releases/2")
		b.exit(b.run(), lifecycle.Exit{Code: 1})
		b.want(lifecycle.StateRunning, "resolve new", "answer [7] kept_old")
		if len(b.serving()) != 3 || len(b.Slots) != 3 {
			t.Errorf("%d of %d serve", len(b.serving()), len(b.Slots))
		}
	}
}

func TestBeforeStartRunsOnceForEveryReleaseHoweverManyInstances(t *testing.T) {
	c := several(3)
	c.BeforeStart = []string{"./migrate"}
	b := newBench(t, c)
	ran := func() (n int) {
		for _, e := range b.saw {
			if e, ok := e.(lifecycle.RunHook); ok && e.Kind == config.HookBeforeStart {
				n++
			}
		}
		return n
	}
	// everything there is to answer, until nothing is.
	settle := func(dir string) {
		for answered := 0; answered < len(b.saw); answered++ {
			switch e := b.saw[answered].(type) {
			case lifecycle.Resolve:
				b.wants = e
				b.resolve(dir)
			case lifecycle.RunHook:
				b.tell(lifecycle.HookDone{Token: e.Token})
			case lifecycle.Launch:
				b.tell(lifecycle.Spawned{Generation: e.Generation, PID: 100 + e.Generation})
				b.tell(lifecycle.Execed{Generation: e.Generation})
			case lifecycle.Prove:
				b.tell(lifecycle.Proved{Generation: e.Generation, Needless: true})
			}
			if answered == len(b.saw)-1 {
				b.pass(time.Second)
			}
		}
	}
	b.tell(lifecycle.Start{})
	settle("/releases/1")
	if n := ran(); n != 1 || len(b.serving()) != 3 {
		t.Errorf("at the start it ran %d times, %d instances serve", n, len(b.serving()))
	}
	b.saw = nil
	b.ask(7)
	settle("/releases/2")
	if n := ran(); n != 1 || len(b.serving()) != 3 {
		t.Errorf("at the reload it ran %d times, %d instances serve", n, len(b.serving()))
	}
}

func TestBeforeStartRunsOnceForInstancesThatReloadThemselves(t *testing.T) {
	c := several(2)
	c.Reload, c.ReloadSignal = config.ReloadSignal, syscall.SIGHUP
	b := farm(t, c)
	d := *c
	d.BeforeStart = []string{"./migrate"}
	b.Config = &d
	b.ask(7)
	b.resolve("/releases/2")
	b.hookDone("")
	b.pass(time.Second)
	b.resolve("/releases/2")
	b.pass(time.Second)
	got := said(b.saw)
	if n := strings.Count(strings.Join(got, "\n"), "run before_start"); n != 1 {
		t.Errorf("it ran %d times: %q", n, got)
	}
	if got[len(got)-1] != "answer [7] signalled" {
		t.Errorf("wanted done last: %s", got[len(got)-1])
	}
}

func TestAnInstanceThatRollsBackWhileOthersStillComeMakesItPartial(t *testing.T) {
	c := several(3)
	c.Probation = time.Minute
	b := farm(t, c)
	b.ask(7)
	b.next("/releases/2")
	b.resolve("")
	b.run() // instance 1
	b.tell(lifecycle.Proved{Generation: 5, Needless: true})
	b.saw = nil
	b.exit(4, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/1")
	b.pass(time.Second)
	e := b.ended()
	if e.Result != lifecycle.ResultPartial || !strings.Contains(e.Reason, "instance 0") || !strings.Contains(e.Reason, "probation") {
		t.Errorf("the reload ended %s: %q", e.Result, e.Reason)
	}
	b.want(lifecycle.StateStarting, "TERM to the main of 2", "answer [7] partial")
}

func TestNoInstanceGetsTheOldReleaseFromAReload(t *testing.T) {
	c := several(2)
	c.Probation, c.MaxDraining = time.Minute, 1
	b := farm(t, c)
	b.ask(7)
	b.next("/releases/2")
	b.next("")
	b.exit(1, lifecycle.Exit{}) // generation 2 still drains
	b.saw = nil
	b.ask(8)
	b.next("/releases/3")
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 3") // and instance 1 waits for its drain slot
	b.exit(5, lifecycle.Exit{Code: 1})
	if e := b.ended(); e.Result != lifecycle.ResultPartial || !strings.Contains(e.Reason, "instance 0") {
		t.Errorf("the reload ended %s: %q", e.Result, e.Reason)
	}
	b.exit(2, lifecycle.Exit{})
	b.want(lifecycle.StateStarting, "answer [8] partial", "resolve /releases/2")
}

func TestAnInstanceThatCrashesIsStartedBesideTheReloadOfOthers(t *testing.T) {
	b := farm(t, several(3))
	b.ask(7)
	b.exit(3, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve new", "resolve /releases/1")
	b.resolve("")
	b.run()
	b.pass(time.Second)
	b.wantServing("0: 1 in /releases/1", "1: 2 in /releases/1", "2: 4 in /releases/1")
}

func TestAStopEndsEveryInstance(t *testing.T) {
	b := farm(t, several(3))
	b.tell(lifecycle.Down{ID: 7})
	b.want(lifecycle.StateStopping, "TERM to the main of 1", "TERM to the main of 2", "TERM to the main of 3")
	b.exit(2, lifecycle.Exit{})
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateStopping)
	b.exit(3, lifecycle.Exit{})
	b.want(lifecycle.StateStopped, "answer [7] stopped")
}

func TestASignalGoesToEveryInstance(t *testing.T) {
	b := farm(t, several(2))
	b.tell(lifecycle.Forward{ID: 7, Signal: syscall.SIGUSR1})
	b.want(lifecycle.StateRunning, "pass USR1 to 1", "pass USR1 to 2", "answer [7] signalled")
}

// Whoever gives a Tick sees to it that the generation in Warming lives: that one
// only may be promoted.
func TestTickPromotesOnlyTheGenerationThatWasChecked(t *testing.T) {
	c := several(2)
	b := newBench(t, c)
	b.boot()
	b.now = b.now.Add(time.Second)
	first := b.Warming(b.now)
	b.tell(lifecycle.Tick{})
	if n := len(b.serving()); n != 1 || !strings.Contains(b.serving()[0], fmt.Sprintf(": %d in", first)) {
		t.Errorf("serving %q, Warming was %d", b.serving(), first)
	}
	if b.Deadline() > b.now {
		t.Error("it does not want another Tick")
	}
	b.tell(lifecycle.Tick{})
	if n := len(b.serving()); n != 2 {
		t.Errorf("after two Ticks %d serve", n)
	}
}

func TestStopFirstRollsBackALaterInstanceAndSaysPartial(t *testing.T) {
	c := several(2)
	c.Reload = config.ReloadStopFirst
	b := farm(t, c)
	b.ask(7)
	b.resolve("/releases/2")
	b.exit(1, lifecycle.Exit{})
	b.run()
	b.pass(time.Second)
	b.resolve("")
	b.exit(2, lifecycle.Exit{})
	b.exit(b.run(), lifecycle.Exit{Code: 1})
	b.resolve("")
	b.run()
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "resolve /releases/2", "TERM to the main of 2", "resolve /releases/1", "answer [7] partial")
	b.wantServing("0: 3 in /releases/2", "1: 5 in /releases/1")
}

func TestReloadOfOnlySomeInstancesIsNotSkipped(t *testing.T) {
	b := farm(t, several(2))
	b.ask(7)
	b.next("/releases/2") // instance 1 is kept on the release before
	b.resolve("")
	b.exit(b.run(), lifecycle.Exit{Code: 1})
	b.exit(1, lifecycle.Exit{})
	b.saw = nil
	b.tell(lifecycle.Reload{ID: 8, Config: b.Config, Changed: true}) // and the link is back on that
	b.turn()
	b.resolve("/releases/1")
	b.run()
	b.tell(lifecycle.Proved{Generation: b.Generations, Needless: true})
	b.pass(time.Second)
	b.resolve("")
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 3", "resolve /releases/1", "answer [8] promoted")
}

func TestInstancesThatReloadThemselvesCanBecomeFewer(t *testing.T) {
	c := several(2)
	c.Reload, c.ReloadSignal = config.ReloadSignal, syscall.SIGHUP
	b := farm(t, c)
	b.scale(1, 7)
	b.resolve("/releases/1")
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "resolve new", "pass HUP to 1", "TERM to the main of 2", "answer [7] signalled")
}

// What comes back while it stops finds places that are not free yet.
func TestAStartThatFailsAtFirstStartsTheOtherInstancesAllTheSame(t *testing.T) {
	b := farm(t, several(3))
	b.tell(lifecycle.Stop{ID: 6, Until: lifecycle.Never, Why: lifecycle.StopRemoved})
	b.tell(lifecycle.Declare{Config: b.Config})
	b.ask(7)
	b.resolve("/releases/2")
	b.exit(b.run(), lifecycle.Exit{Code: 1})
	b.saw = nil
	b.resolve("/releases/2")
	b.want(lifecycle.StateStarting, "resolve /releases/2", "resolve /releases/2")
}

// startingTheSecond returns a machine of so many instances whose first one serves and
// whose second one is being started, as request 7 asked.
func startingTheSecond(t *testing.T, instances int) *bench {
	t.Helper()
	c := several(instances)
	c.Autostart = false
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	b.tell(lifecycle.Up{ID: 7, Config: c})
	b.turn()
	b.next("/releases/1")
	b.resolve("")
	return b
}

func TestAStartIsNotDoneWhileAnInstanceIsMissing(t *testing.T) {
	b := startingTheSecond(t, 2)
	b.tell(lifecycle.Up{ID: 8, Config: b.Config})
	b.saw = nil
	b.exit(b.run(), lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "answer [7] partial", "resolve /releases/1")
}

func TestAStartThatFailsInEveryInstanceRunsBeforeStartOnceForEachTry(t *testing.T) {
	c := several(3)
	c.BeforeStart = []string{"./migrate"}
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	for try := range 5 {
		b.resolve("/releases/1")
		b.hookDone("")
		ran := 0
		for i := 0; i < len(b.saw); i++ { // everything there is to answer
			switch e := b.saw[i].(type) {
			case lifecycle.Resolve:
				if e.Reuse != nil {
					b.tell(lifecycle.Resolved{Attempt: e.Attempt, Release: e.Reuse, Reused: true})
				}
			case lifecycle.RunHook:
				ran++
			case lifecycle.Launch:
				b.tell(lifecycle.Spawned{Generation: e.Generation, PID: 100 + e.Generation})
			}
		}
		for _, l := range b.Living() {
			b.exit(l.Generation, lifecycle.Exit{Code: 1})
		}
		if ran != 1 {
			t.Errorf("try %d: before_start ran %d times", try+1, ran)
		}
		b.saw = slices.DeleteFunc(b.saw, func(lifecycle.Effect) bool { return true })
		for b.Slots[0].Incoming == nil {
			b.now = b.Deadline()
			b.tell(lifecycle.Tick{})
		}
	}
}

func TestAStartWhoseSecondInstanceFailsBringsUpTheThirdAllTheSame(t *testing.T) {
	b := startingTheSecond(t, 3)
	b.saw = nil
	b.exit(b.run(), lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "answer [7] partial", "resolve /releases/1", "resolve /releases/1")
}
