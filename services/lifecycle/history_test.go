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
	"hupwatch/services/release"
)

// onProbation returns a machine whose generation 2 has just taken the place of 1.
func onProbation(t *testing.T, c *config.Service) *bench {
	t.Helper()
	c.Probation = 10 * time.Second
	b := serving(t, c)
	b.ask(1)
	b.up("/releases/2")
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "answer [1] promoted")
	return b
}

func TestAReleaseThatEndsOnProbationIsRolledBackAtOnce(t *testing.T) {
	b := onProbation(t, web())
	b.pass(9 * time.Second)
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/1")
	b.up("/releases/1")
	b.exit(3, lifecycle.Exit{Code: 1}) // from now on it is a crash like any other
	b.want(lifecycle.StateBackoff)
	b.pass(500 * time.Millisecond)
	b.want(lifecycle.StateStarting, "resolve /releases/1")
}

func TestAReleaseOnProbationThatSomebodyKilledIsStartedAgain(t *testing.T) {
	b := onProbation(t, web())
	b.tell(lifecycle.Forward{ID: 2, Signal: syscall.SIGKILL})
	b.saw = nil
	b.exit(2, lifecycle.Exit{Signal: syscall.SIGKILL})
	b.want(lifecycle.StateStarting, "resolve /releases/2")
}

func TestAReleaseThatStoodItsProbationIsStartedAgain(t *testing.T) {
	b := onProbation(t, web())
	b.pass(11 * time.Second)
	if got := b.Deadline(); got != lifecycle.Never {
		t.Errorf("waits for %v with nothing to wait for", got)
	}
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/2")
}

func TestAReleaseThatServedUntilItsStopSignalIsTheFallbackHoweverShortThatWas(t *testing.T) {
	b := onProbation(t, web())
	b.pass(5 * time.Second)
	b.ask(2)
	b.up("/releases/3")
	b.exit(2, lifecycle.Exit{})
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 2", "answer [2] promoted")
	b.exit(3, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/2")
}

// deploy has a release serve, and the one before it gone.
func (b *bench) deploy(id uint64, dir string) int {
	b.ask(id)
	n := b.up(dir)
	for i := range b.Slots {
		for _, g := range b.Slots[i].Draining {
			b.exit(g.Number, lifecycle.Exit{})
		}
	}
	b.saw = nil
	return n
}

// history is the directories of the releases that are remembered, the newest first.
func (b *bench) history() string { return b.Slots[0].History.String() }

// A chain of deploys within each other's probation fell back to the first of them.
func TestFiveQuickDeploysAndABadOneGoBackToTheFifth(t *testing.T) {
	b := onProbation(t, web())
	for id := uint64(2); id <= 5; id++ {
		b.deploy(id, fmt.Sprintf("/releases/%d", id+1))
	}
	b.exit(6, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/5")
	if got := b.history(); got != "/releases/5, /releases/4, /releases/3, /releases/2" {
		t.Errorf("remembered are %s", got)
	}
}

func TestWhereTheReleaseBeforeIsNoGoodEitherTheOneBeforeThatIsStarted(t *testing.T) {
	b := onProbation(t, web())
	b.deploy(2, "/releases/3")
	b.exit(3, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/2")
	n := b.start("/releases/2")
	b.exit(n, lifecycle.Exit{Code: 1}) // in its warm-up
	b.want(lifecycle.StateStarting, "resolve /releases/1")
	b.up("/releases/1")
	b.want(lifecycle.StateRunning)
	if got := b.history(); got != "/releases/1, /releases/2" {
		t.Errorf("remembered are %s", got)
	}
}

func TestAReleaseThatWasGoneBackToIsOnProbationToo(t *testing.T) {
	b := onProbation(t, web())
	b.deploy(2, "/releases/3")
	b.exit(3, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/2")
	n := b.up("/releases/2")
	b.pass(5 * time.Second)
	b.exit(n, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/1")
}

func TestWhereNoReleaseIsAnyGoodTheNewestIsTriedOn(t *testing.T) {
	b := onProbation(t, web())
	b.deploy(2, "/releases/3")
	b.exit(3, lifecycle.Exit{Code: 1})
	for _, dir := range []string{"/releases/2", "/releases/1"} {
		b.want(lifecycle.StateStarting, "resolve "+dir)
		n := b.start(dir)
		b.exit(n, lifecycle.Exit{Code: 1})
	}
	b.want(lifecycle.StateBackoff)
	b.pass(500 * time.Millisecond)
	b.want(lifecycle.StateStarting, "resolve /releases/2")
}

func TestAChainOfBadReleasesGoesBackToTheLastGoodOne(t *testing.T) {
	b := onProbation(t, web())
	for id := uint64(2); id <= 8; id++ {
		n := b.deploy(id, fmt.Sprintf("/releases/%d", id+1))
		b.exit(n, lifecycle.Exit{Code: 1})
		b.want(lifecycle.StateStarting, "resolve /releases/2")
		b.up("/releases/2")
		b.saw = nil
	}
	if got := b.history(); got != "/releases/2, /releases/1" {
		t.Errorf("remembered are %s", got)
	}
}

// A crash of what is the same as before was "rolled back" from it to itself.
func TestTheSameReleaseIsNothingToGoBackTo(t *testing.T) {
	b := onProbation(t, web())
	b.deploy(2, "/releases/2")
	b.exit(3, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/1")
	b = serving(t, web())
	b.Config.Probation = 10 * time.Second
	b.deploy(1, "/releases/1")
	b.exit(2, lifecycle.Exit{Code: 1})
	if b.told(lifecycle.KindRolledBack) {
		t.Error("it is said to be rolled back")
	}
	b.want(lifecycle.StateStarting, "resolve /releases/1")
}

func TestOnlyTheLastFiveReleasesAreRemembered(t *testing.T) {
	b := serving(t, web())
	for id := uint64(1); id <= 9; id++ {
		b.deploy(id, fmt.Sprintf("/releases/%d", id))
	}
	if got := b.history(); got != "/releases/9, /releases/8, /releases/7, /releases/6, /releases/5" {
		t.Errorf("remembered are %s", got)
	}
}

// What was promoted and taken back while somebody still waited was told as promoted.
func TestARollBackCarriesTheRequestItUndoes(t *testing.T) {
	b := onProbation(t, web())
	if len(b.Settling) != 1 || b.Settling[0] != 1 {
		t.Errorf("settling are %v", b.Settling)
	}
	b.exit(2, lifecycle.Exit{Code: 1})
	b.up("/releases/1")
	b.pass(11 * time.Second)
	var kinds []string
	for _, e := range b.saw {
		if e, ok := e.(lifecycle.Emit); ok && slices.Equal(e.Event.Reloads, []uint64{1}) {
			kinds = append(kinds, string(e.Event.Kind))
		}
	}
	want := []string{"generation ended", "rolled back", "generation started", "generation promoted", "probation over"}
	if !slices.Equal(kinds, want) {
		t.Errorf("of the request is told\n%q, want\n%q", kinds, want)
	}
}

func TestWhatCanBeTakenBackIsToldWithTheResultAndItsEnd(t *testing.T) {
	b := serving(t, web())
	b.Config.Probation = 10 * time.Second
	b.ask(1)
	b.up("/releases/2")
	if e := b.ended(); e.Wait != 10*time.Second {
		t.Errorf("it can be taken back for %s", e.Wait)
	}
	if b.pass(9 * time.Second); b.told(lifecycle.KindSettled) {
		t.Error("it is said to be over too soon")
	}
	if b.pass(2 * time.Second); !b.told(lifecycle.KindSettled) {
		t.Error("nobody hears that it is over")
	}
}

// reboot returns a machine that begins with what another one knew.
func reboot(t *testing.T, r lifecycle.Record) *bench {
	t.Helper()
	b := newBench(t, web())
	b.Machine = lifecycle.NewMachine(b.Config, r)
	b.tell(lifecycle.Start{})
	return b
}

func (b *bench) remembered() lifecycle.Record {
	var r lifecycle.Record
	for _, e := range b.saw {
		if e, ok := e.(lifecycle.Remember); ok {
			r = e.Record
		}
	}
	return r
}

// No deploy that was refused at noon is an outage at the reboot at night.
func TestAfterARebootAReleaseThatWasRefusedIsNotStarted(t *testing.T) {
	b := onProbation(t, web())
	b.ask(2)
	n := b.start("/releases/3")
	b.exit(n, lifecycle.Exit{Code: 3})
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	r := b.remembered()
	if r.Refused == nil || r.Refused.Release.Dir != "/releases/3" || r.History.String() != "/releases/2, /releases/1" {
		t.Fatalf("remembered is %+v", r)
	}

	b = reboot(t, r)
	b.resolve("/releases/3")
	b.want(lifecycle.StateStarting, "resolve new", "resolve /releases/2")
	if !b.told(lifecycle.KindInstead) && b.Instead == "" {
		t.Error("no event tells of it")
	}
	b.resolve("")
	b.run()
	b.pass(time.Second)
	b.want(lifecycle.StateRunning)
	if b.Refused == nil || b.Instead == "" {
		t.Error("it is not known any more that the release of the file was refused")
	}

	b.deploy(7, "/releases/3") // mended
	if b.Refused != nil || b.Instead != "" {
		t.Errorf("it is still refused: %+v, %q", b.Refused, b.Instead)
	}
}

func TestAfterARebootWhatIsNewIsTried(t *testing.T) {
	b := onProbation(t, web())
	b.ask(2)
	n := b.start("/releases/3")
	b.exit(n, lifecycle.Exit{Code: 3})
	b = reboot(t, b.remembered())
	b.resolve("/releases/4")
	b.run()
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "resolve new")
}

func TestAStartOfHupwatchWhoseReleaseFailsGoesBackToTheLastGoodOne(t *testing.T) {
	b := onProbation(t, web())
	b.deploy(2, "/releases/3")
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	r := b.remembered()

	b = reboot(t, r)
	n := b.start("/releases/4")
	b.exit(n, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve new", "resolve /releases/3")
	n = b.start("/releases/3")
	b.exit(n, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/2")
	b.up("/releases/2")
	b.want(lifecycle.StateRunning)
	if b.Refused == nil || b.Refused.Release.Dir != "/releases/4" {
		t.Errorf("refused is %+v", b.Refused)
	}

	b = reboot(t, r)
	b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts, Reason: "working_dir: no such directory"})
	b.want(lifecycle.StateStarting, "resolve new", "resolve /releases/3")
}

func TestARollBackByHandStartsTheReleaseBeforeFirst(t *testing.T) {
	b := onProbation(t, web())
	b.deploy(2, "/releases/3")
	b.tell(lifecycle.RollBack{ID: 9})
	b.turn()
	if !b.wants.Only {
		t.Error("another release would do")
	}
	b.want(lifecycle.StateRunning, "resolve /releases/2")
	b.resolve("")
	b.run()
	b.tell(lifecycle.Proved{Generation: 4, Needless: true})
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "TERM to the main of 3", "answer [9] promoted")
	if got := b.history(); got != "/releases/2, /releases/3, /releases/1" {
		t.Errorf("remembered are %s", got)
	}
	b.exit(3, lifecycle.Exit{})
	b.tell(lifecycle.RollBack{ID: 10, To: "/releases/1"})
	b.turn()
	b.want(lifecycle.StateRunning, "resolve /releases/1")
}

func TestARollBackThatCannotBeIsRefusedWithTheReason(t *testing.T) {
	b := serving(t, web())
	refused := func(in lifecycle.RollBack) string {
		for _, e := range b.tell(in) {
			if a, ok := e.(lifecycle.Answer); ok && a.Result == lifecycle.ResultKeptOld {
				return a.Reason
			}
		}
		return ""
	}
	if got := refused(lifecycle.RollBack{ID: 1}); !strings.Contains(got, "no other release") {
		t.Errorf("without a history: %q", got)
	}
	if got := refused(lifecycle.RollBack{ID: 2, To: "/releases/9"}); !strings.Contains(got, "/releases/1") {
		t.Errorf("to what never served: %q", got)
	}
	b.deploy(3, "/releases/2")
	b.ask(4)
	if got := refused(lifecycle.RollBack{ID: 5}); !strings.Contains(got, "under way") {
		t.Errorf("while something is under way: %q", got)
	}
}

// Its release is known: what is asked meanwhile must not be content with it.
func TestAReloadDoesNotMergeWithARollBack(t *testing.T) {
	b := onProbation(t, web())
	b.tell(lifecycle.RollBack{ID: 9})
	b.tell(lifecycle.Reload{ID: 10, Config: b.Config})
	b.turn()
	b.resolve("")
	b.run()
	b.tell(lifecycle.Proved{Generation: 3, Needless: true})
	b.pass(time.Second)
	b.turn()
	b.want(lifecycle.StateRunning, "resolve /releases/1", "TERM to the main of 2", "answer [9] promoted", "resolve new")
}

func TestAProperEndOnProbationIsNoFailure(t *testing.T) {
	c := web()
	c.Restart = config.RestartOnFailure
	b := onProbation(t, c)
	b.exit(2, lifecycle.Exit{})
	b.want(lifecycle.StateDone)
}

func TestAnIncomingGenerationGoesOnWhenTheOneOnProbationEnds(t *testing.T) {
	b := onProbation(t, web())
	b.ask(2)
	n := b.start("/releases/3")
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve new")
	b.exit(n, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "answer [2] failed", "resolve /releases/1")
}

func TestAReleaseThatStoodItsProbationIsTheFallbackHoweverBusyTheHost(t *testing.T) {
	c := web()
	c.Warmup = 0
	b := onProbation(t, c)
	b.ask(2)
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config, Dir: "/releases/3"}})
	b.tell(lifecycle.Spawned{Generation: 3, PID: 103})
	b.tell(lifecycle.Execed{Generation: 3})
	b.tell(lifecycle.Proved{Generation: 3})
	b.now = b.now.Add(time.Minute) // in which nothing happens, not even a Tick
	b.tell(lifecycle.Proved{Generation: 3})
	b.pass(0)
	b.exit(3, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve new", "TERM to the main of 2", "answer [2] promoted", "resolve /releases/2")
}

// A HUP with nothing new had a release that was known to be good taken back to the
// one before it, at the first crash within probation.
func TestAReleaseThatServedWellIsOnProbationNoMore(t *testing.T) {
	b := onProbation(t, web())
	b.pass(time.Minute)
	n := b.deploy(2, "/releases/2")
	b.exit(n, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/2")
	if got := b.history(); got != "/releases/2, /releases/1" {
		t.Errorf("remembered are %s", got)
	}
}
