package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

func withReady(kind config.ReadyKind) *config.Service {
	c := web()
	c.Ready = &config.Ready{Kind: kind, URL: "http://localhost/", Address: "localhost:80", FD: 3, Interval: 250 * time.Millisecond, Timeout: 2 * time.Second}
	return c
}

// incomer returns a machine whose generation 2 runs, and is to be ready in this way.
func incomer(t *testing.T, kind config.ReadyKind) *bench {
	t.Helper()
	b := serving(t, web())
	b.Config = withReady(kind)
	b.ask(7)
	b.resolve("/releases/2")
	b.run()
	b.want(lifecycle.StateRunning, "resolve new")
	return b
}

// asked is whether the machine wants a look at generation 2, since the last call.
func (b *bench) asked() (yes bool) {
	for _, e := range b.saw {
		if e, ok := e.(lifecycle.Prove); ok && e.Generation == 2 {
			yes = true
		}
	}
	b.saw = nil
	return yes
}

// fails answers each look at a generation with this until its reload has ended.
func (b *bench) fails(in lifecycle.Proved) {
	for n := 0; n < 1000 && b.Current != nil; n++ {
		b.tell(in)
		b.pass(250 * time.Millisecond)
	}
}

func TestAProbeThatFailsUntilStartTimeoutKeepsTheOldOneAndSaysWhy(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	b.fails(lifecycle.Proved{Generation: 2, Failure: "http://localhost/: 503 Service Unavailable"})
	e := b.ended()
	if e.Result != lifecycle.ResultKeptOld || !strings.Contains(e.Reason, "within start_timeout (1m0s)") || !strings.Contains(e.Reason, "503 Service Unavailable") {
		t.Errorf("the reload ended %s: %q", e.Result, e.Reason)
	}
	if waited := e.Elapsed; waited < time.Minute || waited > time.Minute+time.Second {
		t.Errorf("it had %s", waited)
	}
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
}

func TestWhatIsReadyOnceIsAskedOnceMoreAtTheEndOfItsWarmUp(t *testing.T) {
	b := incomer(t, config.ReadyTCP)
	b.tell(lifecycle.Proved{Generation: 2, Failure: "connection refused"})
	b.asked()
	b.pass(20 * time.Millisecond)
	if !b.asked() {
		t.Fatal("it is not asked again")
	}
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second - 1)
	if b.asked() {
		t.Fatal("it is asked in its warm-up")
	}
	b.pass(1)
	if !b.asked() {
		t.Fatal("it is not asked at the end of its warm-up")
	}
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(0)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}

func TestWhatIsNotReadyAnyMoreAtTheEndOfItsWarmUpIsKeptOut(t *testing.T) {
	b := incomer(t, config.ReadyExec)
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second)
	b.tell(lifecycle.Proved{Generation: 2, Failure: "exited with status 1"})
	if e := b.ended(); !strings.Contains(e.Reason, "end of its warm-up: exited with status 1") {
		t.Errorf("the reason is %q", e.Reason)
	}
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
}

// A busy host answers late: that is no answer, and no proof of anything.
func TestWhatDoesNotAnswerInTimeAtTheEndOfItsWarmUpIsAskedAgain(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second)
	for range 3 {
		b.asked()
		b.tell(lifecycle.Proved{Generation: 2, Failure: "no answer within 2s", Late: true, Own: true})
		b.pass(250 * time.Millisecond)
		if !b.asked() {
			t.Fatal("it is not asked again")
		}
	}
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(0)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}

func TestWhatNeverAnswersInTimeAtTheEndOfItsWarmUpIsKeptOut(t *testing.T) {
	b := incomer(t, config.ReadyHTTP)
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second)
	began := b.now
	b.fails(lifecycle.Proved{Generation: 2, Failure: "no answer within 2s", Late: true})
	if e := b.ended(); !strings.Contains(e.Reason, "not ready any more at the end of its warm-up: no answer within 2s") {
		t.Errorf("the reason is %q", e.Reason)
	}
	if took := b.now.Sub(began); took < time.Minute || took > time.Minute+time.Second {
		t.Errorf("it had %s", took)
	}
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
}

func TestALastLookThatNeverComesBackKeepsTheOldOne(t *testing.T) {
	b := incomer(t, config.ReadyExec)
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second + time.Minute + 7*time.Second) // and those that the look itself may take
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
	b.tell(lifecycle.Proved{Generation: 2}) // too late
	b.want(lifecycle.StateRunning)
}

func TestReadySaidBeforeTheCommandIsKnownToRunCounts(t *testing.T) {
	b := serving(t, web())
	b.Config = withReady(config.ReadyNotify)
	b.ask(7)
	b.resolve("/releases/2")
	b.tell(lifecycle.Spawned{Generation: 2, PID: 102})
	b.tell(lifecycle.Notified{Generation: 2, Ready: true})
	b.tell(lifecycle.Execed{Generation: 2})
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "answer [7] promoted")
}

func TestNewOneThatNeverSaysReadyIsKeptOut(t *testing.T) {
	for kind, want := range map[config.ReadyKind]string{config.ReadyNotify: "READY=1", config.ReadyFD: "descriptor 3"} {
		b := incomer(t, kind)
		b.pass(time.Minute - 1)
		b.want(lifecycle.StateRunning)
		b.pass(1)
		if e := b.ended(); !strings.Contains(e.Reason, want) {
			t.Errorf("%s: the reason is %q", kind, e.Reason)
		}
		b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
	}
}

func TestMoreTimeIsGivenUpToTenTimesStartTimeout(t *testing.T) {
	b := incomer(t, config.ReadyNotify)
	b.pass(time.Minute - 1)
	b.tell(lifecycle.Notified{Generation: 2, Extend: time.Minute})
	b.pass(time.Minute - 1)
	b.want(lifecycle.StateRunning)
	for range 100 {
		b.tell(lifecycle.Notified{Generation: 2, Extend: time.Hour})
		b.pass(30 * time.Second)
	}
	e := b.ended()
	if waited := e.Elapsed; waited != 10*time.Minute {
		t.Errorf("it had %s, start_timeout is 1m", waited)
	}
}

func TestExtensionNeverShortensStartTimeout(t *testing.T) {
	b := incomer(t, config.ReadyNotify)
	b.tell(lifecycle.Notified{Generation: 2, Extend: time.Second})
	b.pass(time.Minute - 1)
	b.want(lifecycle.StateRunning)
}

func TestWhatSaysThatItStopsInItsWarmUpIsKeptOut(t *testing.T) {
	b := incomer(t, config.ReadyNotify)
	b.tell(lifecycle.Notified{Generation: 2, Ready: true})
	b.tell(lifecycle.Notified{Generation: 2, Stopping: true})
	if e := b.ended(); !strings.Contains(e.Reason, "STOPPING=1") {
		t.Errorf("the reason is %q", e.Reason)
	}
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
}

func TestNewOneThatClosesItsReadyDescriptorIsKeptOut(t *testing.T) {
	b := incomer(t, config.ReadyFD)
	b.tell(lifecycle.Notified{Generation: 2, Failure: "it closed descriptor 3"})
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
}

func TestOneThatWasReadyMayCloseItsDescriptor(t *testing.T) {
	b := incomer(t, config.ReadyFD)
	b.tell(lifecycle.Notified{Generation: 2, Ready: true})
	b.tell(lifecycle.Notified{Generation: 2, Failure: "it closed descriptor 3"})
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
}

func TestSignalsGoToTheMainProcessThatAServiceNames(t *testing.T) {
	b := serving(t, web())
	b.tell(lifecycle.Notified{Generation: 1, MainPID: 4711})
	b.tell(lifecycle.Down{ID: 7})
	for _, e := range b.saw {
		if e, ok := e.(lifecycle.Signal); ok && e.MainPID != 4711 {
			t.Errorf("the stop signal goes to %d", e.MainPID)
		}
	}
	b.want(lifecycle.StateStopping, "TERM to the main of 1")
}

func TestAProbeThatHangsAtStartTimeoutFailsTheStart(t *testing.T) {
	b := incomer(t, config.ReadyExec)
	b.pass(time.Minute + 7*time.Second) // those that the look itself may take
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [7] kept_old")
}
