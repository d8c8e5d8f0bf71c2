package services_test

import (
	"strings"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services"
)

// waitsOn returns a machine whose generation 1 serves, and was seen to wait for
// connections on the sockets of these ports.
func waitsOn(t *testing.T, ports ...string) *bench {
	t.Helper()
	b := serving(t, listening(ports...))
	b.observed(1, ports...)
	b.saw = nil
	return b
}

// observed answers what the machine wants observed of a generation.
func (b *bench) observed(generation int, ports ...string) {
	var addresses []string
	for _, l := range listening(ports...).Listen {
		addresses = append(addresses, l.String())
	}
	b.tell(services.Observed{Generation: generation, Seen: addresses})
}

// observes counts the looks that the machine wants at what serves.
func (b *bench) observes() (n int) {
	for _, e := range b.saw {
		if _, ok := e.(services.Observe); ok {
			n++
		}
	}
	return n
}

// mustWait are the sockets on which the last look wants to see generation 2 wait.
func (b *bench) mustWait() (addresses []string) {
	for _, e := range b.saw {
		if e, ok := e.(services.Prove); ok && e.Generation == 2 && e.Way == services.WayWaiting {
			addresses = nil
			for _, l := range e.Waits {
				addresses = append(addresses, l.String())
			}
		}
	}
	b.saw = nil
	return addresses
}

// reload brings generation 2 to its first instruction.
func (b *bench) reload() {
	b.ask(7)
	b.resolve("/releases/2")
	b.run()
}

// On a busy host a release that could not even be imported was promoted: its workers
// took longer than its warm-up to fail.
func TestReloadKeepsOldWhenNewNeverAccepts(t *testing.T) {
	b := waitsOn(t, "8000")
	b.reload()
	for range 1000 {
		if b.Under == nil {
			break
		}
		b.tell(services.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}})
		b.pass(250 * time.Millisecond)
	}
	e := b.ended()
	if e.Result != services.ResultKeptOld || e.Elapsed < time.Minute || e.Elapsed > 62*time.Second {
		t.Errorf("the reload ended %s after %s", e.Result, e.Elapsed)
	}
	for _, want := range []string{"within start_timeout (1m0s)", "does not wait for connections on tcp://127.0.0.1:8000", "taken out of listen", `ready = "warmup"`} {
		if !strings.Contains(e.Reason, want) {
			t.Errorf("the reason is %q, want %q in it", e.Reason, want)
		}
	}
	b.want(services.StateRunning, "resolve new", "TERM to the main of 2", "answer [7] kept_old")
}

func TestAReleaseThatIsSlowToStartIsWaitedFor(t *testing.T) {
	b := waitsOn(t, "8000")
	b.reload()
	for range 40 { // ten times its warm-up
		b.tell(services.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}})
		b.pass(250 * time.Millisecond)
	}
	b.want(services.StateRunning, "resolve new")
	b.tell(services.Proved{Generation: 2})
	if !b.told(services.KindReady) {
		t.Error("nobody hears that it is ready")
	}
	b.pass(time.Second)
	if got := b.mustWait(); len(got) != 1 {
		t.Errorf("at the end of its warm-up it is looked at %v", got)
	}
	b.tell(services.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}}) // its workers are all at something else
	b.pass(100 * time.Millisecond)
	b.tell(services.Proved{Generation: 2})
	b.pass(0)
	b.want(services.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}

func TestAReleaseWhoseWorkersAreGoneAtTheEndOfItsWarmUpIsKeptOut(t *testing.T) {
	b := waitsOn(t, "8000")
	b.reload()
	b.tell(services.Proved{Generation: 2})
	b.pass(time.Second)
	for b.Under != nil {
		b.tell(services.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}})
		b.pass(250 * time.Millisecond)
	}
	if e := b.ended(); !strings.Contains(e.Reason, "not ready any more at the end of its warm-up") || e.Elapsed > 13*time.Second {
		t.Errorf("after %s: %q", e.Elapsed, e.Reason)
	}
}

func TestNothingIsAskedOfASuccessorThatNobodyWasSeenToDo(t *testing.T) {
	b := serving(t, listening("8000"))
	b.pass(time.Minute)
	b.observed(1)
	if !b.told(services.KindAdvice) {
		t.Error("nobody hears that only the warm-up is left")
	}
	b.reload()
	b.observed(1) // it is looked at again when a reload begins
	b.pass(time.Second)
	b.want(services.StateRunning, "resolve new", "TERM to the main of 1", "answer [7] promoted")
}

// The first generation was promoted by its warm-up long before it served, and the
// reload that came then knew nothing of what a new one had to do.
func TestWhatWasPromotedBeforeItWaitedIsLookedAtUntilItDoes(t *testing.T) {
	b := serving(t, listening("8000"))
	b.reload()
	if got := b.Lacks(b.Slots[0].Incoming); !strings.Contains(got, "generation 1 was not seen to wait for connections yet") {
		t.Errorf("what it waits for is said as %q", got)
	}
	for range 40 {
		b.saw = nil
		b.observed(1)
		b.pass(250 * time.Millisecond)
		if n := b.observes(); n != 1 {
			t.Fatalf("it is looked at %d times more", n)
		}
	}
	b.want(services.StateRunning)
	b.observed(1, "8000")
	if got := b.mustWait(); len(got) != 1 || got[0] != "tcp://127.0.0.1:8000" {
		t.Errorf("the new one has to wait on %v", got)
	}
}

func TestAReloadWaitsUntilItIsKnownWhereTheOldOneWaits(t *testing.T) {
	b := serving(t, listening("8000"))
	b.reload()
	b.pass(10 * time.Second)
	b.want(services.StateRunning, "resolve new")
	b.observed(1, "8000")
	if got := b.mustWait(); len(got) != 1 || got[0] != "tcp://127.0.0.1:8000" {
		t.Errorf("it has to wait on %v", got)
	}
}

func TestAnObservationThatNeverComesBackHoldsAReloadUpForItsStartTimeoutOnly(t *testing.T) {
	b := serving(t, listening("8000"))
	b.reload()
	b.pass(62 * time.Second)
	b.want(services.StateRunning, "resolve new", "TERM to the main of 1", "answer [7] promoted")
}

func TestOfAServerThatWaitsOnAllItsSocketsANewOneIsAskedForToo(t *testing.T) {
	b := waitsOn(t, "8000")
	b.Config = listening("8000", "8001")
	b.reload()
	if got := strings.Join(b.mustWait(), " "); got != "tcp://127.0.0.1:8000 tcp://127.0.0.1:8001" {
		t.Errorf("it has to wait on %s", got)
	}
	b = serving(t, listening("8000", "8001"))
	b.observed(1, "8001") // the other one is for something else
	b.Config = listening("8001", "8002")
	b.reload()
	b.observed(1, "8001")
	if got := strings.Join(b.mustWait(), " "); got != "tcp://127.0.0.1:8001" {
		t.Errorf("it has to wait on %s", got)
	}
}

func TestAnAddressThatIsDroppedFromListenIsNotAskedFor(t *testing.T) {
	b := waitsOn(t, "8000", "8001")
	b.Config = listening("8001")
	b.reload()
	if got := strings.Join(b.mustWait(), " "); got != "tcp://127.0.0.1:8001" {
		t.Errorf("it has to wait on %s", got)
	}
}

func TestReadyWarmupTurnsTheProofOff(t *testing.T) {
	b := waitsOn(t, "8000")
	b.Config = listening("8000")
	b.Config.Ready = &config.Ready{Kind: config.ReadyWarmup}
	b.reload()
	b.pass(time.Second)
	b.want(services.StateRunning, "resolve new", "TERM to the main of 1", "answer [7] promoted")
}

func TestWhatCannotBeSeenIsToldOnce(t *testing.T) {
	b := serving(t, listening("8000"))
	told := func() (n int) {
		for _, e := range b.saw {
			if e, ok := e.(services.Emit); ok && e.Event.Kind == services.KindAdvice && strings.Contains(e.Event.Reason, "io_uring") {
				n++
			}
		}
		b.saw = nil
		return n
	}
	b.tell(services.Observed{Generation: 1, Unseen: "it uses io_uring"})
	if n := told(); n != 1 {
		t.Errorf("told %d times", n)
	}
	b.reload()
	b.tell(services.Observed{Generation: 1, Unseen: "it uses io_uring"})
	b.pass(time.Second)
	if n := told(); n != 0 {
		t.Errorf("told %d times more", n)
	}
}

func TestACrashRestartMustBeSeenToWaitToo(t *testing.T) {
	b := waitsOn(t, "8000")
	b.exit(1, services.Exit{Code: 1})
	b.resolve("/releases/1")
	b.run()
	if got := b.mustWait(); len(got) != 1 {
		t.Errorf("it has to wait on %v", got)
	}
	if b.State() != services.StateStarting {
		t.Errorf("it is %s", b.State())
	}
}

func TestARestartBeginsWithNothingKnown(t *testing.T) {
	b := waitsOn(t, "8000")
	b.demand("restart", 7)
	b.exit(1, services.Exit{})
	b.turn()
	b.resolve("/releases/1")
	b.run()
	b.pass(time.Second)
	b.want(services.StateRunning, "TERM to the main of 1", "resolve new", "answer [7] started")
}

// hupwatch was paused, and the deadline went before what the server did meanwhile.
func TestADeadlineThatHasPassedIsNoProof(t *testing.T) {
	b := waitsOn(t, "8000")
	b.reload()
	b.tell(services.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}})
	b.mustWait()
	b.now = b.now.Add(10 * time.Minute)
	b.tell(services.Tick{})
	if got := b.mustWait(); len(got) != 1 {
		t.Fatalf("it is not looked at once more: %v", got)
	}
	b.tell(services.Proved{Generation: 2})
	b.pass(time.Second)
	b.tell(services.Proved{Generation: 2})
	b.pass(0)
	b.want(services.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}

func TestALookThatBeganBeforeTheDeadlineIsFollowedByOneMore(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	b.now = b.now.Add(10 * time.Minute)
	b.tell(services.Tick{})
	b.asked()
	b.tell(services.Proved{Generation: 2, Failure: "no answer within 2s"})
	if !b.asked() {
		t.Fatal("it is not asked once more")
	}
	b.tell(services.Proved{Generation: 2, Failure: "no answer within 2s"})
	b.want(services.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
}

func TestAProbeThatMeetsTheOldOneOpensMoreConnectionsAtOnce(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	most := 0
	for b.Under != nil {
		for _, e := range b.saw {
			if e, ok := e.(services.Prove); ok {
				if e.AtOnce < most || len(e.Others) != 1 || e.Others[0] != 1 {
					t.Fatalf("after %d at once: %+v", most, e)
				}
				most = e.AtOnce
			}
		}
		b.saw = nil
		b.tell(services.Proved{Generation: 2, Failure: "it is generation 1 (pid 101) that answers", Other: true})
		b.pass(250 * time.Millisecond)
	}
	if most != 16 {
		t.Errorf("%d at once, want 16 in the end", most)
	}
	if e := b.ended(); e.Result != services.ResultKeptOld || !strings.Contains(e.Reason, "generation 1 (pid 101) that answers") {
		t.Errorf("it ended %s: %s", e.Result, e.Reason)
	}
}

// What it answered itself is the reason, whoever took the connections after that.
func TestWhatTheNewOneAnsweredItselfIsTheReasonItIsKeptOutFor(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	b.tell(services.Proved{Generation: 2, Failure: "it is generation 1 that answers", Other: true})
	b.pass(250 * time.Millisecond)
	b.tell(services.Proved{Generation: 2, Failure: "503 no database", Own: true})
	for b.Under != nil {
		b.pass(250 * time.Millisecond)
		b.tell(services.Proved{Generation: 2, Failure: "it is generation 1 that answers", Other: true})
	}
	if e := b.ended(); !strings.Contains(e.Reason, "503 no database") || strings.Contains(e.Reason, "generation 1") {
		t.Errorf("it was kept out for %q", e.Reason)
	}
}

// At the end of the warm-up too it may be the old one that answers.
func TestALastProbeThatMeetsTheOldOneIsTriedAgain(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	b.tell(services.Proved{Generation: 2})
	b.pass(time.Second)
	b.tell(services.Proved{Generation: 2, Failure: "it is generation 1 (pid 101) that answers", Other: true})
	b.pass(250 * time.Millisecond)
	b.tell(services.Proved{Generation: 2})
	b.pass(0)
	b.want(services.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}
