package journal_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/runner/journal"
	"hupwatch/services/lifecycle"
)

// stopFirst is a reload that stops generation 2 first and then finds that 3 is no
// good: the events up to what becomes of starting the release before again.
func stopFirst(s *story) {
	s.tell(begun(), request(1), lifecycle.Event{Kind: lifecycle.KindReloadBegun, Service: "web", Reloads: []uint64{1}},
		of("web", lifecycle.KindStopSignalled, 2, 1), exited("web", 2, lifecycle.Exit{}, 90*time.Millisecond, 1),
		of("web", lifecycle.KindStarted, 3, 1), incoming(of("web", lifecycle.KindStopSignalled, 3, 1)),
		with(of("web", lifecycle.KindRolledBack, 3, 1), func(e *lifecycle.Event) {
			e.Reason, e.Tail, e.ServingRelease = "not ready", []string{"no module"}, "/srv/web/2"
		}),
		of("web", lifecycle.KindStarted, 4), incoming(exited("web", 3, lifecycle.Exit{Signal: syscall.SIGTERM}, time.Second, 1)))
}

func TestARollBackOfStopFirstIsOneReloadThatTellsOfTheFailedOne(t *testing.T) {
	s := newStory()
	stopFirst(s)
	s.tell(of("web", lifecycle.KindPromoted, 4),
		with(ended("web", 4, lifecycle.ResultRolledBack, "not ready", []string{"what the good one wrote"}, 1), func(e *lifecycle.Event) {
			e.Release, e.Serving, e.ServingRelease = "/srv/web/2", 4, "/srv/web/2"
		}), done(1, lifecycle.ResultRolledBack, "web"))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		r := last(t, j, "web")
		if len(j.History("web")) != 1 || r.Result != lifecycle.ResultRolledBack || r.RolledBack != nil {
			t.Fatalf("it is remembered as %+v", j.History("web"))
		}
		if r.Generation != 3 || r.Release != "/srv/web/3" || r.Reason != "not ready" || !slices.Equal(r.Tail, []string{"no module"}) {
			t.Errorf("what failed is %d in %s: %s %q", r.Generation, r.Release, r.Reason, r.Tail)
		}
		if r.Old != 4 || r.OldRelease != "/srv/web/2" || r.Drain != 90*time.Millisecond {
			t.Errorf("what serves is %d in %s, the old one drained for %s", r.Old, r.OldRelease, r.Drain)
		}
		if r.Exit == nil || r.Exit.Signal != "TERM" {
			t.Errorf("the failed one ended with %+v", r.Exit)
		}
	})
}

func TestARollBackThatIsUnderWayTellsWhy(t *testing.T) {
	s := newStory()
	stopFirst(s)
	j := open(t, "")
	j.Record(s.events)
	if r := j.History("web")[0]; r.Result != "" || r.Reason != "not ready" || r.Generation != 3 {
		t.Errorf("it is remembered as %+v", r)
	}
}

func TestFailedRollBackKeepsTheLastLinesOfBothReleases(t *testing.T) {
	s := newStory()
	stopFirst(s)
	s.tell(with(of("web", lifecycle.KindStartFailed, 4), func(e *lifecycle.Event) { e.Cause, e.Reason = lifecycle.CauseRestart, "too" }),
		with(ended("web", 4, lifecycle.ResultFailed, "not ready; and the release before it: too", []string{"address in use"}, 1), func(e *lifecycle.Event) {
			e.Exit = &lifecycle.Exit{Code: 98}
		}), done(1, lifecycle.ResultFailed, "web"))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		r := last(t, j, "web")
		if r.Result != lifecycle.ResultFailed || !slices.Equal(r.Tail, []string{"no module", "address in use"}) || r.Exit == nil || r.Exit.Code != 98 || r.Generation != 4 {
			t.Errorf("it is remembered as %+v, %+v", r, r.Exit)
		}
	})
}

func TestPartialReloadHasTheReasonOfTheInstanceRolledBack(t *testing.T) {
	first := promotion("web", 4, 1)
	first[3] = of("web", lifecycle.KindStopSignalled, 2, 1)
	s := newStory().tell(request(1)).tell(first[:4]...).tell(of("web", lifecycle.KindStarted, 5, 1),
		with(of("web", lifecycle.KindRolledBack, 4, 1), func(e *lifecycle.Event) {
			e.Reason, e.Tail, e.Exit = "probation", []string{"panic"}, &lifecycle.Exit{Signal: syscall.SIGSEGV}
		}),
		of("web", lifecycle.KindStarted, 6), of("web", lifecycle.KindPromoted, 5, 1), of("web", lifecycle.KindStopSignalled, 3, 1),
		with(ended("web", 0, lifecycle.ResultPartial, "instance 0: probation", nil, 1), func(e *lifecycle.Event) { e.Serving = 5 }),
		exited("web", 2, lifecycle.Exit{}, time.Second, 1), exited("web", 3, lifecycle.Exit{}, 2*time.Second, 1))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		r := last(t, j, "web")
		if r.Result != lifecycle.ResultPartial || r.Reason != "instance 0: probation" || !slices.Equal(r.Tail, []string{"panic"}) || r.RolledBack != nil {
			t.Errorf("it is remembered as %+v", r)
		}
		if r.Generation != 4 || r.Exit == nil || r.Exit.Signal != "SEGV" || r.Old != 5 || r.Drain != 2*time.Second {
			t.Errorf("it is remembered as %+v, %+v", r, r.Exit)
		}
	})
}

func TestAPartialReloadTellsWhichInstanceFailed(t *testing.T) {
	s := newStory().tell(request(1)).tell(promotion("web", 4, 1)[:3]...)
	s.tell(with(ended("web", 5, lifecycle.ResultPartial, "late", nil, 1), func(e *lifecycle.Event) { e.Instance, e.Serving = 1, 3 }))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Instance != 1 {
			t.Errorf("it is remembered as %+v", r)
		}
	})
}

func TestReadyTimeLeavesOutTheWarmUp(t *testing.T) {
	ready := func(generation int, took time.Duration) lifecycle.Event {
		return with(of("web", lifecycle.KindReady, generation, 1), func(e *lifecycle.Event) { e.Elapsed = took })
	}
	p, q := promotion("web", 3, 1), promotion("web", 4, 1) // promoted after 400 ms, their warm-up included
	s := newStory().tell(request(1)).tell(p[:2]...).tell(ready(3, 150*time.Millisecond)).tell(p[2:4]...)
	s.tell(q[1], ready(4, 120*time.Millisecond)).tell(q[2:]...)
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Ready != 150*time.Millisecond {
			t.Errorf("it was ready after %s", r.Ready)
		}
	})
}

func TestReloadBySignalIsTheLastReloadButASignalIsNot(t *testing.T) {
	s := newStory().tell(request(1)).tell(failure("web", 3, nil, 1)...).tell(done(1, lifecycle.ResultKeptOld, "web"))
	s.tell(with(request(2), func(e *lifecycle.Event) { e.Verb = "signal" }),
		with(of("web", lifecycle.KindAnswered, 2, 2), func(e *lifecycle.Event) { e.Result = lifecycle.ResultSignalled }), done(2, lifecycle.ResultSignalled))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Result != lifecycle.ResultKeptOld {
			t.Errorf("the last reload is %+v", r)
		}
	})
	s.tell(request(3), lifecycle.Event{Kind: lifecycle.KindReloadBegun, Service: "web", Reloads: []uint64{3}}, of("web", lifecycle.KindForwarded, 2, 3),
		with(ended("web", 2, lifecycle.ResultSignalled, "not in force until it is started anew: command", nil, 3), func(e *lifecycle.Event) { e.Serving = 2 }))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Result != lifecycle.ResultSignalled || r.Reason == "" || r.Generation != 2 {
			t.Errorf("the last reload is %+v", r)
		}
	})
}

func TestAFailedHookIsToldWithItsLastLines(t *testing.T) {
	tail := []string{"migrate: no such table"}
	s := newStory().tell(request(1), lifecycle.Event{Kind: lifecycle.KindReloadBegun, Service: "web", Reloads: []uint64{1}},
		with(of("web", lifecycle.KindHookBegun, 3, 1), func(e *lifecycle.Event) { e.Hook, e.PID = config.HookBeforeStart, 0 }),
		with(ended("web", 3, lifecycle.ResultKeptOld, "before_start: exited with status 1", tail, 1), func(e *lifecycle.Event) { e.Serving, e.PID = 2, 0 }),
		done(1, lifecycle.ResultKeptOld, "web"))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		r := last(t, j, "web")
		if r.Reason != "before_start: exited with status 1" || !slices.Equal(r.Tail, tail) || r.Generation != 3 || r.Old != 2 || !r.Started.IsZero() || r.Exit != nil {
			t.Errorf("it is remembered as %+v", r)
		}
	})
}
