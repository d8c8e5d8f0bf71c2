package lifecycle_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
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
	b.tell(lifecycle.Observed{Generation: generation, Seen: addresses})
}

// mustWait are the sockets on which the last look wants to see generation 2 wait.
func (b *bench) mustWait() (addresses []string) {
	for _, e := range b.saw {
		if e, ok := e.(lifecycle.Prove); ok && e.Generation == 2 && e.Way == lifecycle.WayWaiting {
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
		if b.Current == nil {
			break
		}
		b.tell(lifecycle.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}})
		b.pass(250 * time.Millisecond)
	}
	e := b.ended()
	if e.Result != lifecycle.ResultKeptOld || e.Elapsed < time.Minute || e.Elapsed > 62*time.Second {
		t.Errorf("the reload ended %s after %s", e.Result, e.Elapsed)
	}
	for _, want := range []string{"within start_timeout (1m0s)", "does not wait for connections on tcp://127.0.0.1:8000", "taken out of listen", `ready = "warmup"`} {
		if !strings.Contains(e.Reason, want) {
			t.Errorf("the reason is %q, want %q in it", e.Reason, want)
		}
	}
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 2", "answer [7] kept_old")
}

func TestAReleaseThatIsSlowToStartIsWaitedFor(t *testing.T) {
	b := waitsOn(t, "8000")
	b.reload()
	for range 40 { // ten times its warm-up
		b.tell(lifecycle.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}})
		b.pass(250 * time.Millisecond)
	}
	b.want(lifecycle.StateRunning, "resolve new")
	b.tell(lifecycle.Proved{Generation: 2})
	if !b.told(lifecycle.KindReady) {
		t.Error("nobody hears that it is ready")
	}
	b.pass(time.Second)
	if got := b.mustWait(); len(got) != 1 {
		t.Errorf("at the end of its warm-up it is looked at %v", got)
	}
	b.tell(lifecycle.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}}) // its workers are all at something else
	b.pass(100 * time.Millisecond)
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(0)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}

func TestAReleaseWhoseWorkersAreGoneAtTheEndOfItsWarmUpIsKeptOut(t *testing.T) {
	b := waitsOn(t, "8000")
	b.reload()
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second)
	for b.Current != nil {
		b.tell(lifecycle.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}})
		b.pass(250 * time.Millisecond)
	}
	if e := b.ended(); !strings.Contains(e.Reason, "not ready any more at the end of its warm-up") || e.Elapsed > 13*time.Second {
		t.Errorf("after %s: %q", e.Elapsed, e.Reason)
	}
}

// observer answers every look of a machine by what is seen of its generations then.
type observer struct {
	*bench
	answered int // of what the machine wanted
	waits    map[int][]string
}

func observing(b *bench) *observer {
	b.saw = nil
	return &observer{bench: b, waits: make(map[int][]string)}
}

// reloading has a reload begun of a service with this start_timeout.
func reloading(t *testing.T, timeout time.Duration) *observer {
	t.Helper()
	c := listening("8000")
	c.StartTimeout = timeout
	o := observing(serving(t, c))
	o.reload()
	return o
}

// sees is where a generation waits for connections from now on.
func (o *observer) sees(generation int, ports ...string) {
	o.waits[generation] = nil
	for _, l := range listening(ports...).Listen {
		o.waits[generation] = append(o.waits[generation], l.String())
	}
}

// watch lets time pass, and looks meanwhile: less often the longer it takes.
func (o *observer) watch(d time.Duration) {
	for until := o.now.Add(d); o.now < until; o.pass(max(250*time.Millisecond, d/600)) {
		for ; o.answered < len(o.saw); o.answered++ {
			switch e := o.saw[o.answered].(type) {
			case lifecycle.Observe:
				in := lifecycle.Observed{Generation: e.Generation}
				in.Seen, _ = o.split(e.Generation, e.Listen)
				o.tell(in)
			case lifecycle.Prove:
				in := lifecycle.Proved{Generation: e.Generation}
				_, in.Missing = o.split(e.Generation, e.Waits)
				o.tell(in)
			}
		}
	}
}

func (o *observer) split(generation int, listens []config.Listen) (seen, missing []string) {
	for _, l := range listens {
		if slices.Contains(o.waits[generation], l.String()) {
			seen = append(seen, l.String())
		} else {
			missing = append(missing, l.String())
		}
	}
	return seen, missing
}

// result is that of the reload, and after how long it ended; empty if it goes on.
func (o *observer) result() (lifecycle.Result, time.Duration) {
	if o.Current != nil {
		return "", 0
	}
	e := o.ended()
	return e.Result, e.Elapsed.Round(time.Second)
}

// The first generation was promoted by its warm-up long before it served, and the
// reload that came then knew nothing of what a new one had to do.
func TestPromotedOneIsObservedUntilItWaitsForConnections(t *testing.T) {
	o := observing(serving(t, listening("8000")))
	o.reload()
	o.watch(10 * time.Second)
	if got := o.Lacks(o.Slots[0].Incoming); !strings.Contains(got, "neither it nor generation 1, which serves, was seen yet to wait for connections on tcp://127.0.0.1:8000") {
		t.Errorf("what it waits for is said as %q", got)
	}
	o.sees(1, "8000")
	o.watch(time.Minute)
	if result, after := o.result(); result != lifecycle.ResultKeptOld || after < time.Minute {
		t.Errorf("the new one never waits: %s after %s", result, after)
	}
}

func TestNewOneThatWaitsOnAllItsSocketsIsReady(t *testing.T) {
	for _, timeout := range []time.Duration{time.Minute, 1<<63 - 1} {
		o := reloading(t, timeout)
		o.sees(2, "8000")
		o.watch(3 * time.Second)
		if result, _ := o.result(); result != lifecycle.ResultPromoted {
			t.Errorf("with a start_timeout of %s: %q", timeout, result)
		}
	}
}

func TestNewOneIsPromotedIfOldWasNeverSeenToWait(t *testing.T) {
	for _, timeout := range []time.Duration{time.Minute, 1<<63 - 1} {
		o := reloading(t, timeout)
		o.watch(9*time.Second + min(timeout, 10*time.Minute))
		result, after := o.result()
		if result != lifecycle.ResultPromoted || after < min(timeout, 10*time.Minute)-time.Second {
			t.Errorf("with a start_timeout of %s: %q after %s", timeout, result, after)
		}
		if !o.told(lifecycle.KindAdvice) {
			t.Error("nobody hears that only the warm-up is left")
		}
		o.saw, o.answered = nil, 0
		o.ask(8)
		o.resolve("/releases/3")
		o.run()
		o.watch(10 * time.Second)
		if o.told(lifecycle.KindAdvice) {
			t.Error("that is told twice")
		}
	}
}

func TestASocketThatIsOpenedLaterThanTheOthersIsWaitedForToo(t *testing.T) {
	o := observing(serving(t, listening("8000", "9000")))
	o.sees(1, "9000") // its metrics
	o.watch(time.Second)
	o.reload()
	o.sees(2, "9000")
	o.watch(5 * time.Second)
	o.sees(1, "8000", "9000")
	o.watch(time.Minute)
	if result, _ := o.result(); result != lifecycle.ResultKeptOld {
		t.Errorf("what never waits on the second one is %s", result)
	}
}

// What the old one had to prove was in its own configuration, and says nothing of
// where it waits.
func TestTheOldOneIsObservedThoughItWasProbed(t *testing.T) {
	c := listening("8000")
	c.Ready = &config.Ready{Kind: config.ReadyWarmup}
	o := observing(serving(t, c))
	o.pass(time.Hour)
	o.sees(1, "8000")
	o.Config = listening("8000")
	o.reload()
	o.watch(2 * time.Minute)
	if result, _ := o.result(); result != lifecycle.ResultKeptOld {
		t.Errorf("what never waits is %s", result)
	}
}

func TestTheNewOneWaitsForAllTheTimeTheOldOneHas(t *testing.T) {
	o := observing(serving(t, listening("8000")))
	o.Config = listening("8000")
	o.Config.StartTimeout = 2 * time.Second
	o.reload()
	o.watch(20 * time.Second)
	if result, after := o.result(); result != "" {
		t.Fatalf("%s after %s, and the old one is still starting", result, after)
	}
	o.sees(1, "8000")
	o.watch(10 * time.Second)
	if result, _ := o.result(); result != lifecycle.ResultKeptOld {
		t.Errorf("what never waits is %q", result)
	}
}

func TestStopFirstDoesNotWaitForWhatTheOldOneDoes(t *testing.T) {
	c := listening("8000")
	c.Reload = config.ReloadStopFirst
	o := observing(serving(t, c))
	o.ask(7)
	o.watch(500 * time.Millisecond)
	o.resolve("/releases/2") // the old one is told to stop between two looks
	o.exit(1, lifecycle.Exit{})
	o.run()
	o.watch(3 * time.Second)
	if result, _ := o.result(); result != lifecycle.ResultPromoted {
		t.Errorf("it is %q", result)
	}
}

func TestWhatIsKnownOutlivesTheEndOfHupwatch(t *testing.T) {
	b := waitsOn(t, "8000")
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	if len(b.Waiting.Seen) != 1 {
		t.Errorf("it forgets where its generations wait: %+v", b.Waiting)
	}
	for _, e := range b.saw {
		if e, ok := e.(lifecycle.Remember); ok && len(e.Record.Waiting.Seen) != 1 {
			t.Errorf("%+v is what is kept", e.Record.Waiting)
		}
	}
}

// A server that has begun to use io_uring is no broken one.
func TestWhatCannotBeSeenAnyMoreHasItsWarmUpOnly(t *testing.T) {
	b := waitsOn(t, "8000")
	b.reload()
	for b.Current != nil {
		b.tell(lifecycle.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}, Unseen: "it uses io_uring"})
		b.pass(250 * time.Millisecond)
	}
	if e := b.ended(); e.Result != lifecycle.ResultPromoted || e.Elapsed < time.Minute {
		t.Errorf("the reload ended %s after %s: %s", e.Result, e.Elapsed, e.Reason)
	}
	if !b.told(lifecycle.KindAdvice) {
		t.Error("nobody hears that only the warm-up is left")
	}
}

func TestAnObservationThatNeverComesBackHoldsAReloadUpForItsStartTimeoutOnly(t *testing.T) {
	b := serving(t, listening("8000"))
	b.reload()
	for range 280 {
		b.tell(lifecycle.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}})
		b.pass(250 * time.Millisecond)
	}
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "answer [7] promoted")
}

func TestAddedSocketIsRequiredIfTheOldOneWaitsOnAll(t *testing.T) {
	b := waitsOn(t, "8000")
	b.Config = listening("8000", "8001")
	b.reload()
	if got := strings.Join(b.mustWait(), " "); got != "tcp://127.0.0.1:8000 tcp://127.0.0.1:8001" {
		t.Errorf("it has to wait on %s", got)
	}
	b = serving(t, listening("8000", "8001"))
	b.pass(time.Minute)
	b.observed(1, "8001") // the other one is for something else
	b.Config = listening("8001", "8002")
	b.reload()
	b.observed(1, "8001")
	b.tell(lifecycle.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8002"}})
	b.mustWait()
	b.pass(time.Second)
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
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "answer [7] promoted")
}

func TestWhatCannotBeSeenIsToldOnce(t *testing.T) {
	b := serving(t, listening("8000"))
	told := func() (n int) {
		for _, e := range b.saw {
			if e, ok := e.(lifecycle.Emit); ok && e.Event.Kind == lifecycle.KindAdvice && strings.Contains(e.Event.Reason, "io_uring") {
				n++
			}
		}
		b.saw = nil
		return n
	}
	b.tell(lifecycle.Observed{Generation: 1, Unseen: "it uses io_uring"})
	if n := told(); n != 1 {
		t.Errorf("told %d times", n)
	}
	b.reload()
	b.tell(lifecycle.Observed{Generation: 1, Unseen: "it uses io_uring"})
	b.pass(time.Second)
	if n := told(); n != 0 {
		t.Errorf("told %d times more", n)
	}
}

func TestACrashRestartMustBeSeenToWaitToo(t *testing.T) {
	b := waitsOn(t, "8000")
	b.exit(1, lifecycle.Exit{Code: 1})
	b.resolve("/releases/1")
	b.run()
	if got := b.mustWait(); len(got) != 1 {
		t.Errorf("it has to wait on %v", got)
	}
	if b.State() != lifecycle.StateStarting {
		t.Errorf("it is %s", b.State())
	}
}

func TestARestartBeginsWithNothingKnown(t *testing.T) {
	b := waitsOn(t, "8000")
	b.demand("restart", 7)
	b.exit(1, lifecycle.Exit{})
	b.turn()
	b.resolve("/releases/1")
	b.run()
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "resolve new", "answer [7] started")
}

// hupwatch was paused, and the deadline went before what the server did meanwhile.
func TestADeadlineThatHasPassedIsNoProof(t *testing.T) {
	b := waitsOn(t, "8000")
	b.reload()
	b.tell(lifecycle.Proved{Generation: 2, Missing: []string{"tcp://127.0.0.1:8000"}})
	b.mustWait()
	b.now = b.now.Add(10 * time.Minute)
	b.tell(lifecycle.Tick{})
	if got := b.mustWait(); len(got) != 1 {
		t.Fatalf("it is not looked at once more: %v", got)
	}
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second)
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(0)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}

func TestALookThatBeganBeforeTheDeadlineIsFollowedByOneMore(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	b.now = b.now.Add(10 * time.Minute)
	b.tell(lifecycle.Tick{})
	b.asked()
	b.tell(lifecycle.Proved{Generation: 2, Failure: "no answer within 2s"})
	if !b.asked() {
		t.Fatal("it is not asked once more")
	}
	b.tell(lifecycle.Proved{Generation: 2, Failure: "no answer within 2s"})
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
}

func TestAProbeThatMeetsTheOldOneOpensMoreConnectionsAtOnce(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	most := 0
	for b.Current != nil {
		for _, e := range b.saw {
			if e, ok := e.(lifecycle.Prove); ok {
				if e.AtOnce < most || len(e.Others) != 1 || e.Others[0] != 1 {
					t.Fatalf("after %d at once: %+v", most, e)
				}
				most = e.AtOnce
			}
		}
		b.saw = nil
		b.tell(lifecycle.Proved{Generation: 2, Failure: "it is generation 1 (pid 101) that answers", Other: true})
		b.pass(250 * time.Millisecond)
	}
	if most != 16 {
		t.Errorf("%d at once, want 16 in the end", most)
	}
	if e := b.ended(); e.Result != lifecycle.ResultKeptOld || !strings.Contains(e.Reason, "generation 1 (pid 101) that answers") {
		t.Errorf("it ended %s: %s", e.Result, e.Reason)
	}
}

// What it answered itself is the reason, whoever took the connections after that.
func TestNewOneIsKeptOutForItsOwnAnswer(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	b.tell(lifecycle.Proved{Generation: 2, Failure: "it is generation 1 that answers", Other: true})
	b.pass(250 * time.Millisecond)
	b.tell(lifecycle.Proved{Generation: 2, Failure: "503 no database", Own: true})
	for b.Current != nil {
		b.pass(250 * time.Millisecond)
		b.tell(lifecycle.Proved{Generation: 2, Failure: "it is generation 1 that answers", Other: true})
	}
	if e := b.ended(); !strings.Contains(e.Reason, "503 no database") || strings.Contains(e.Reason, "generation 1") {
		t.Errorf("it was kept out for %q", e.Reason)
	}
}

// At the end of the warm-up too it may be the old one that answers.
func TestALastProbeThatMeetsTheOldOneIsTriedAgain(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second)
	b.tell(lifecycle.Proved{Generation: 2, Failure: "it is generation 1 (pid 101) that answers", Other: true})
	b.pass(250 * time.Millisecond)
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(0)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}
