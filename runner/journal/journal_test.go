package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hupwatch/runner/journal"
	"hupwatch/services/lifecycle"
)

// story tells events one after the other, a second apart.
type story struct {
	seq    uint64
	now    time.Time
	events []lifecycle.Event
}

func newStory() *story { return &story{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)} }

func (s *story) tell(events ...lifecycle.Event) *story {
	for _, e := range events {
		s.seq++
		s.now = s.now.Add(time.Second)
		e.Seq, e.At = s.seq, s.now
		s.events = append(s.events, e)
	}
	return s
}

func begun() lifecycle.Event { return lifecycle.Event{Kind: lifecycle.KindBegun} }

func request(id uint64, only ...string) lifecycle.Event {
	return lifecycle.Event{Kind: lifecycle.KindRequest, Reloads: []uint64{id}, Verb: "reload", By: "signal HUP", Names: only}
}

func done(id uint64, result lifecycle.Result, broken ...string) lifecycle.Event {
	return lifecycle.Event{
		Kind: lifecycle.KindRequestDone, Reloads: []uint64{id}, Verb: "reload", By: "signal HUP", Names: broken,
		Counts: map[lifecycle.Result]int{result: 1},
	}
}

// of is something that happened to a generation: to an old one if it is told to end, or
// is gone.
func of(service string, kind lifecycle.Kind, generation int, ids ...uint64) lifecycle.Event {
	role := lifecycle.RoleIncoming
	if kind == lifecycle.KindStopSignalled || kind == lifecycle.KindExited {
		role = lifecycle.RoleOld
	}
	return lifecycle.Event{
		Role: role,
		Kind: kind, Service: service, Generation: generation, PID: 100 * generation, Reloads: ids,
		Cause: lifecycle.CauseReload, Release: fmt.Sprintf("/srv/%s/%d", service, generation),
	}
}

// incoming is the same of one that was no good.
func incoming(e lifecycle.Event) lifecycle.Event {
	e.Role = lifecycle.RoleIncoming
	return e
}

func with(e lifecycle.Event, change func(*lifecycle.Event)) lifecycle.Event {
	change(&e)
	return e
}

func ended(service string, generation int, result lifecycle.Result, reason string, tail []string, ids ...uint64) lifecycle.Event {
	return with(of(service, lifecycle.KindReloadEnded, generation, ids...), func(e *lifecycle.Event) {
		e.Result, e.Reason, e.Tail = result, reason, tail
	})
}

func exited(service string, generation int, exit lifecycle.Exit, took time.Duration, ids ...uint64) lifecycle.Event {
	return with(of(service, lifecycle.KindExited, generation, ids...), func(e *lifecycle.Event) {
		e.Exit, e.Elapsed = &exit, took
	})
}

// promotion is a reload of one service that goes well, up to the stop signal.
func promotion(service string, generation int, ids ...uint64) []lifecycle.Event {
	return []lifecycle.Event{
		{Kind: lifecycle.KindReloadBegun, Service: service, Reloads: ids},
		of(service, lifecycle.KindStarted, generation, ids...),
		with(of(service, lifecycle.KindPromoted, generation, ids...), func(e *lifecycle.Event) { e.Elapsed = 400 * time.Millisecond }),
		with(of(service, lifecycle.KindStopSignalled, generation-1, ids...), func(e *lifecycle.Event) { e.Signal = syscall.SIGTERM }),
		with(ended(service, generation, lifecycle.ResultPromoted, "", nil, ids...), func(e *lifecycle.Event) { e.Serving = generation }),
	}
}

// failure is a reload of one service whose new generation is no good.
func failure(service string, generation int, tail []string, ids ...uint64) []lifecycle.Event {
	return []lifecycle.Event{
		{Kind: lifecycle.KindReloadBegun, Service: service, Reloads: ids},
		of(service, lifecycle.KindStarted, generation, ids...),
		with(ended(service, generation, lifecycle.ResultKeptOld, "exited with status 3", tail, ids...), func(e *lifecycle.Event) {
			e.Serving, e.ServingRelease = generation-1, "/srv/old"
			e.Exit = &lifecycle.Exit{Code: 3}
		}),
	}
}

// reload is a whole request that goes well for one service.
func reload(service string, id uint64, generation int) []lifecycle.Event {
	all := append([]lifecycle.Event{request(id)}, promotion(service, generation, id)...)
	return append(all, done(id, lifecycle.ResultPromoted), exited(service, generation-1, lifecycle.Exit{}, time.Second, id))
}

func open(t testing.TB, path string) *journal.Journal {
	t.Helper()
	j := journal.Open(path, func(err error) { t.Errorf("trouble: %v", err) })
	t.Cleanup(func() { j.Close() })
	return j
}

// both runs a test on a journal that was told the events, and on one that has
// read them from the file; each must hold for both.
func both(t *testing.T, s *story, test func(t *testing.T, j *journal.Journal)) {
	path := filepath.Join(t.TempDir(), "journal")
	told := open(t, path)
	told.Record(s.events[:1]) // which makes the file; the rest is added to it
	told.Record(s.events[1:])
	t.Run("told", func(t *testing.T) { test(t, told) })
	t.Run("read", func(t *testing.T) { test(t, open(t, path)) })
	rewritten := open(t, path)
	rewritten.Rewrite(t)
	t.Run("rewritten", func(t *testing.T) { test(t, open(t, path)) })
}

func last(t *testing.T, j *journal.Journal, service string) journal.Reload {
	t.Helper()
	r, ok := j.Last(service)
	if !ok {
		t.Fatalf("nothing is known of %s", service)
	}
	return r
}

func TestPromotionIsRememberedWithItsDrain(t *testing.T) {
	s := newStory().tell(begun(), request(1)).tell(promotion("web", 3, 1)...)
	s.tell(done(1, lifecycle.ResultPromoted), exited("web", 2, lifecycle.Exit{Code: 7}, 90*time.Millisecond, 1))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		at := func(n int) time.Time { return s.events[n].At }
		want := journal.Reload{
			Service: "web", IDs: []uint64{1}, What: "reload", By: "signal HUP", Result: lifecycle.ResultPromoted,
			Asked: at(1), Begun: at(2), Started: at(3), Promoted: at(4), Signalled: at(5), Ended: at(6), Exited: at(8),
			Ready: 400 * time.Millisecond, Drain: 90 * time.Millisecond,
			Generation: 3, PID: 300, Release: "/srv/web/3", Old: 2, OldRelease: "/srv/web/2",
			Exit: &journal.Exit{Code: 7, At: at(8)},
		}
		equal(t, last(t, j, "web"), want)
		q, _ := j.Request(1)
		equal(t, q, journal.Request{
			ID: 1, What: "reload", By: "signal HUP", Started: at(1), Ended: at(7), Done: true,
			Services: []journal.Reload{want}, Counts: map[lifecycle.Result]int{lifecycle.ResultPromoted: 1},
		})
	})
}

// equal compares what the two are in JSON.
func equal(t *testing.T, got, want any) {
	t.Helper()
	if g, w := text(t, got), text(t, want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func TestKeptOldIsRememberedWithReasonTailAndExit(t *testing.T) {
	tail := []string{"Traceback:\x1b[31m", "no module named \"app\"\n\x00\u2028"}
	s := newStory().tell(begun(), request(1)).tell(failure("web", 3, tail, 1)...)
	s.tell(done(1, lifecycle.ResultKeptOld, "web"))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		r := last(t, j, "web")
		if r.Result != lifecycle.ResultKeptOld || r.Reason != "exited with status 3" || !slices.Equal(r.Tail, tail) {
			t.Errorf("it is remembered as %q, %q, %q", r.Result, r.Reason, r.Tail)
		}
		if r.Exit == nil || r.Exit.Code != 3 || r.Generation != 3 || r.Old != 2 || r.OldRelease != "/srv/old" || !r.Signalled.IsZero() {
			t.Errorf("the failed one is not told from the old one: %+v, %+v", r, r.Exit)
		}
	})
}

func TestStopSignalToTheFailedOneIsNotTakenForADrain(t *testing.T) {
	for name, started := range map[string]bool{"running": true, "starting": false} {
		t.Run(name, func(t *testing.T) {
			s := newStory().tell(request(1), lifecycle.Event{Kind: lifecycle.KindReloadBegun, Service: "web", Reloads: []uint64{1}})
			if started {
				s.tell(of("web", lifecycle.KindStarted, 3, 1))
			}
			s.tell(incoming(of("web", lifecycle.KindStopSignalled, 3, 1)),
				with(ended("web", 3, lifecycle.ResultKeptOld, "late", nil, 1), func(e *lifecycle.Event) { e.Serving = 2 }),
				incoming(exited("web", 3, lifecycle.Exit{Signal: syscall.SIGTERM}, time.Second, 1)))
			both(t, s, func(t *testing.T, j *journal.Journal) {
				r := last(t, j, "web")
				if r.Old != 2 || r.Generation != 3 || !r.Signalled.IsZero() || r.Drain != 0 {
					t.Errorf("it is remembered as %+v", r)
				}
				if r.Exit == nil || r.Exit.Signal != "TERM" || !r.Exited.Equal(s.now) {
					t.Errorf("its end is remembered as %+v at %s", r.Exit, r.Exited)
				}
			})
		})
	}
}

func TestRollBackIsNotedWithTheReloadItUndoes(t *testing.T) {
	s := newStory().tell(request(1)).tell(promotion("web", 3, 1)...)
	s.tell(request(2)).tell(failure("web", 4, nil, 2)...)
	s.tell(with(of("web", lifecycle.KindRolledBack, 3), func(e *lifecycle.Event) {
		e.Exit, e.Reason, e.ServingRelease = &lifecycle.Exit{Signal: syscall.SIGSEGV}, "probation", "/srv/web/2"
	})).tell(reload("web", 3, 5)...)
	both(t, s, func(t *testing.T, j *journal.Journal) {
		h := j.History("web")
		if len(h) != 3 || h[0].RolledBack != nil || h[1].RolledBack != nil || h[2].Result != lifecycle.ResultRolledBack {
			t.Fatalf("the history is %+v", h)
		}
		b := h[2].RolledBack
		if b == nil || b.Reason != "probation" || b.Release != "/srv/web/2" || b.Exit == nil || b.Exit.Signal != "SEGV" || b.At.IsZero() {
			t.Errorf("the roll back is remembered as %+v", b)
		}
	})
}

// What a roll back starts belongs to the request it undoes, which is over.
func TestARollBackIsTheResultOfTheReloadItUndoesWhateverComesOfIt(t *testing.T) {
	s := newStory().tell(request(1)).tell(promotion("web", 3, 1)...)
	s.tell(done(1, lifecycle.ResultPromoted, "web"),
		with(of("web", lifecycle.KindRolledBack, 3, 1), func(e *lifecycle.Event) {
			e.Exit, e.Reason, e.Tail, e.ServingRelease = &lifecycle.Exit{Code: 3}, "probation", []string{"no memory"}, "/srv/web/2"
		}),
		of("web", lifecycle.KindStarted, 4, 1), incoming(of("web", lifecycle.KindStopSignalled, 4, 1)),
		with(of("web", lifecycle.KindStartFailed, 4, 1), func(e *lifecycle.Event) { e.Cause, e.Reason = lifecycle.CauseRestart, "late" }),
		with(of("web", lifecycle.KindRolledBack, 4, 1), func(e *lifecycle.Event) { e.Reason, e.ServingRelease = "late", "/srv/web/1" }),
		incoming(exited("web", 4, lifecycle.Exit{Signal: syscall.SIGTERM}, time.Second, 1)),
		of("web", lifecycle.KindStarted, 5, 1), of("web", lifecycle.KindReady, 5, 1), of("web", lifecycle.KindPromoted, 5, 1),
		exited("web", 2, lifecycle.Exit{}, 2*time.Second, 1))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		q, _ := j.Request(1)
		if len(q.Services) != 1 || len(j.History("web")) != 1 {
			t.Fatalf("the request came to %+v", q.Services)
		}
		r := q.Services[0]
		if r.Result != lifecycle.ResultRolledBack || r.Reason != "probation" || !slices.Equal(r.Tail, []string{"no memory"}) || r.Exit == nil || r.Exit.Code != 3 || r.Generation != 3 {
			t.Errorf("it came to %+v, %+v", r, r.Exit)
		}
		if r.RolledBack == nil || r.RolledBack.Release != "/srv/web/1" || r.Drain != 2*time.Second {
			t.Errorf("it went back to %+v, and drained for %s", r.RolledBack, r.Drain)
		}
	})
}

func TestRefusedReleaseIsTheLastReloadUntilNothingIsNew(t *testing.T) {
	s := newStory().tell(request(1)).tell(failure("web", 3, nil, 1)...).tell(done(1, lifecycle.ResultKeptOld, "web"), request(2))
	looked := *s
	s.tell(with(of("web", lifecycle.KindAnswered, 0, 2), func(e *lifecycle.Event) { e.Result = lifecycle.ResultSkipped }), done(2, lifecycle.ResultSkipped))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Result != lifecycle.ResultKeptOld {
			t.Errorf("nobody looked, and the last reload is %+v", r)
		}
	})
	looked.tell(lifecycle.Event{Kind: lifecycle.KindReloadBegun, Service: "web", Reloads: []uint64{2}},
		with(ended("web", 2, lifecycle.ResultSkipped, "nothing new", nil, 2), func(e *lifecycle.Event) { e.Serving = 2 }), done(2, lifecycle.ResultSkipped))
	both(t, &looked, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Result != lifecycle.ResultSkipped || r.Reason != "nothing new" {
			t.Errorf("the last reload is %+v", r)
		}
	})
}

func TestStartsThatFailWithoutARequestAreOneEntry(t *testing.T) {
	failed := with(of("web", lifecycle.KindStartFailed, 1), func(e *lifecycle.Event) {
		e.Cause, e.Reason, e.Tail = lifecycle.CauseRestart, "exited with status 1", []string{"no"}
	})
	both(t, newStory().tell(begun(), failed, failed, failed), func(t *testing.T, j *journal.Journal) {
		r := last(t, j, "web")
		if h := j.History("web"); len(h) != 1 || h[0].IDs != nil {
			t.Errorf("the history is %+v", h)
		}
		if r.What != "restart" || r.Result != lifecycle.ResultFailed || r.Reason == "" || len(r.Tail) != 1 {
			t.Errorf("it is remembered as %+v", r)
		}
	})
	s := newStory().tell(reload("web", 1, 2)...).tell(failed)
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Result != lifecycle.ResultPromoted {
			t.Errorf("the last reload is %+v, not what was asked for", r)
		}
	})
}

// A service that came up by itself was called failed for ever, by the next hupwatch too.
func TestAReloadAfterWhichNothingServedIsAsOfNow(t *testing.T) {
	promoted := func(cause lifecycle.Cause, release string, result ...lifecycle.Result) lifecycle.Event {
		return with(of("web", lifecycle.KindPromoted, 9), func(e *lifecycle.Event) {
			if e.Cause, e.Release = cause, release; len(result) > 0 {
				e.Result = result[0]
			}
		})
	}
	retried := with(of("web", lifecycle.KindStartFailed, 8), func(e *lifecycle.Event) { e.Cause, e.Reason = lifecycle.CauseRestart, "no" })
	failed := func(release string) *story {
		return newStory().tell(begun(), request(1), of("web", lifecycle.KindReloadBegun, 0, 1), of("web", lifecycle.KindStarted, 8, 1),
			with(of("web", lifecycle.KindReloadEnded, 8, 1), func(e *lifecycle.Event) {
				e.Result, e.Reason, e.Release, e.Exit, e.Tail = lifecycle.ResultFailed, "no", release, &lifecycle.Exit{Code: 3}, []string{"why"}
			}), done(1, lifecycle.ResultFailed, "web"))
	}
	for name, test := range map[string]struct {
		then []lifecycle.Event
		want lifecycle.Result
		why  string
	}{
		"nothing":                         {nil, lifecycle.ResultFailed, "no"},
		"the same release at a retry":     {[]lifecycle.Event{promoted(lifecycle.CauseRestart, "/srv/web/8")}, lifecycle.ResultStarted, ""},
		"the one before":                  {[]lifecycle.Event{promoted(lifecycle.CauseRestart, "/srv/web/8", lifecycle.ResultRolledBack)}, lifecycle.ResultRolledBack, "no"},
		"the second retry":                {[]lifecycle.Event{retried, promoted(lifecycle.CauseRestart, "/srv/web/8", lifecycle.ResultStarted)}, lifecycle.ResultStarted, ""},
		"a start of the next hupwatch":    {[]lifecycle.Event{begun(), promoted(lifecycle.CauseStart, "/srv/web/9")}, lifecycle.ResultStarted, ""},
		"a crash long after it came up":   {[]lifecycle.Event{promoted(lifecycle.CauseRestart, "/srv/web/8"), of("web", lifecycle.KindEnded, 9), promoted(lifecycle.CauseRestart, "/srv/web/8")}, lifecycle.ResultStarted, ""},
		"another service that came up":    {[]lifecycle.Event{with(promoted(lifecycle.CauseRestart, "/srv/web/8"), func(e *lifecycle.Event) { e.Service = "db" })}, lifecycle.ResultFailed, "no"},
		"what a start that failed became": {[]lifecycle.Event{with(of("web", lifecycle.KindStartFailed, 9), func(e *lifecycle.Event) { e.Cause, e.Reason = lifecycle.CauseStart, "no" })}, lifecycle.ResultFailed, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, failed("/srv/web/8").tell(test.then...), func(t *testing.T, j *journal.Journal) {
				if r := last(t, j, "web"); r.Result != test.want || r.Reason != test.why || (r.Exit == nil) != (test.why == "") || r.Promoted.IsZero() != (test.want == lifecycle.ResultFailed) {
					t.Errorf("it is %s, %q, %+v", r.Result, r.Reason, r)
				}
			})
		})
	}
	boot := with(of("web", lifecycle.KindStartFailed, 1), func(e *lifecycle.Event) { e.Cause, e.Reason = lifecycle.CauseStart, "no" })
	both(t, newStory().tell(begun(), boot, promoted(lifecycle.CauseRestart, boot.Release)), func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Result != lifecycle.ResultStarted {
			t.Errorf("the first start is %+v", r)
		}
	})
}

func TestTwoRequestsCanBeAnsweredByOneReload(t *testing.T) {
	s := newStory().tell(request(1)).tell(promotion("web", 2, 1)[:2]...).tell(request(2), request(3))
	s.tell(promotion("web", 2, 1)[2:]...).tell(done(1, lifecycle.ResultPromoted))
	s.tell(promotion("web", 3, 2, 3)...).tell(done(2, lifecycle.ResultPromoted), done(3, lifecycle.ResultPromoted))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if h := j.History("web"); len(h) != 2 || !slices.Equal(h[0].IDs, []uint64{2, 3}) || !slices.Equal(h[1].IDs, []uint64{1}) {
			t.Errorf("the history is %+v", h)
		}
		for id, generation := range map[uint64]int{1: 2, 2: 3, 3: 3} {
			q, ok := j.Request(id)
			if !ok || !q.Done || len(q.Services) != 1 || q.Services[0].Generation != generation {
				t.Errorf("request %d is %+v", id, q)
			}
		}
	})
}

func TestRemovedServiceAnswersTheRequestThatRemovedIt(t *testing.T) {
	for name, ids := range map[string][]uint64{"told": {1}, "guessed": nil} {
		t.Run(name, func(t *testing.T) {
			s := newStory().tell(request(1), of("web", lifecycle.KindStopSignalled, 2, ids...), exited("web", 2, lifecycle.Exit{}, time.Second, ids...),
				lifecycle.Event{Kind: lifecycle.KindStopped, Service: "web", Reloads: ids}, done(1, lifecycle.ResultStopped))
			both(t, s, func(t *testing.T, j *journal.Journal) {
				q, _ := j.Request(1)
				if len(q.Services) != 1 || q.Services[0].Result != lifecycle.ResultStopped || !q.Done {
					t.Errorf("the request is %+v", q)
				}
				if r := last(t, j, "web"); ids != nil && (r.Drain != time.Second || r.Old != 2 || r.Exit == nil) {
					t.Errorf("its end is remembered as %+v", r)
				}
			})
		})
	}
}

func TestStopsOfTheEndOfHupwatchAreNoHistory(t *testing.T) {
	s := newStory().tell(reload("web", 1, 2)...).tell(lifecycle.Event{Kind: lifecycle.KindEnding}, lifecycle.Event{Kind: lifecycle.KindStopped, Service: "web"})
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if h := j.History("web"); len(h) != 1 {
			t.Errorf("the history is %+v", h)
		}
	})
}

func TestAbandonedOldOneIsNoted(t *testing.T) {
	s := newStory().tell(request(1)).tell(promotion("web", 3, 1)...).tell(of("web", lifecycle.KindKilled, 2, 1), of("web", lifecycle.KindAbandoned, 2, 1))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); !r.Killed || !r.Abandoned || !r.Exited.IsZero() {
			t.Errorf("it is remembered as %+v", r)
		}
	})
}

func TestInstancesAreOneReload(t *testing.T) {
	first, second := promotion("web", 4, 1), promotion("web", 5, 1)
	first[3], second[3] = of("web", lifecycle.KindStopSignalled, 2, 1), of("web", lifecycle.KindStopSignalled, 3, 1)
	s := newStory().tell(request(1)).tell(first[:4]...).tell(second[1:]...)
	s.tell(exited("web", 3, lifecycle.Exit{}, 2*time.Second, 1), exited("web", 2, lifecycle.Exit{}, time.Second, 1))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		r := last(t, j, "web")
		if r.Drain != 2*time.Second || !r.Exited.Equal(s.now) || r.Generation != 5 || len(j.History("web")) != 1 {
			t.Errorf("it is remembered as %+v", r)
		}
	})
}

func TestPartialReloadDrainsWhatItReplaced(t *testing.T) {
	s := newStory().tell(request(1)).tell(promotion("web", 4, 1)[:3]...)
	s.tell(of("web", lifecycle.KindStopSignalled, 2, 1))
	signalled := s.now
	s.tell(incoming(of("web", lifecycle.KindStopSignalled, 5, 1)), // of the second instance: it did not even start
		with(ended("web", 5, lifecycle.ResultPartial, "late", nil, 1), func(e *lifecycle.Event) { e.Serving = 3 }),
		incoming(exited("web", 5, lifecycle.Exit{Signal: syscall.SIGTERM}, 5*time.Second, 1)),
		exited("web", 2, lifecycle.Exit{}, time.Second, 1))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		r := last(t, j, "web")
		if !r.Signalled.Equal(signalled) || r.Drain != time.Second || r.Exit == nil || r.Exit.Signal != "TERM" || r.Generation != 5 || r.Old != 3 {
			t.Errorf("it is remembered as %+v, %+v", r, r.Exit)
		}
	})
}

func TestExitOfTheFailedOneIsThatOfItsMainProcess(t *testing.T) {
	s := newStory().tell(request(1)).tell(failure("web", 3, nil, 1)...)
	failed := s.now
	s.tell(exited("web", 3, lifecycle.Exit{Signal: syscall.SIGKILL}, time.Second, 1)) // what was left of it
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Exit == nil || r.Exit.Code != 3 || r.Exit.Signal != "" || !r.Exited.Equal(failed) {
			t.Errorf("its end is remembered as %+v at %s", r.Exit, r.Exited)
		}
	})
}

func TestServiceWithoutEventsGetsTheResultOfItsRequest(t *testing.T) {
	s := newStory().tell(request(1), done(1, lifecycle.ResultAborted, "web"), request(2, "db"), done(2, lifecycle.ResultSkipped))
	both(t, s, func(t *testing.T, j *journal.Journal) {
		if r := last(t, j, "web"); r.Result != lifecycle.ResultAborted {
			t.Errorf("web is remembered as %+v", r)
		}
		if r := last(t, j, "db"); r.Result != lifecycle.ResultSkipped {
			t.Errorf("db is remembered as %+v", r)
		}
	})
}

func TestUnderWayIsAbortedWhenHupwatchEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	s := newStory().tell(begun()).tell(reload("web", 1, 2)...).tell(request(2)).tell(promotion("web", 3, 2)[:2]...)
	j.Record(s.events)
	if r := last(t, j, "web"); !slices.Equal(r.IDs, []uint64{1}) {
		t.Errorf("what is under way is told to be over: %+v", r)
	}
	if h := j.History("web"); len(h) != 2 || h[0].Result != "" {
		t.Errorf("what is under way is not in the history: %+v", h)
	}
	if q, _ := j.Request(2); q.Done || !q.Ended.IsZero() {
		t.Errorf("a request that is under way is told to be over: %+v", q)
	}
	for range 2 { // the next hupwatch, and the one after it
		j = open(t, path)
		if got := j.LastID(); got != 2 {
			t.Errorf("the last id is %d", got)
		}
		if r := last(t, j, "web"); r.Result != lifecycle.ResultAborted || r.Reason != "hupwatch ended" {
			t.Errorf("it is remembered as %+v", r)
		}
		if q, _ := j.Request(2); q.Done || q.Reason != "hupwatch ended" || !q.Ended.Equal(s.now) {
			t.Errorf("the request is %+v", q)
		}
		j.Record([]lifecycle.Event{{Kind: lifecycle.KindBegun, Seq: 1, At: s.now.Add(time.Hour)}})
	}
}

func TestReloadDuringAnUpgradeKeepsItsResult(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	s := newStory().tell(request(1)).tell(promotion("web", 3, 1)...).tell(done(1, lifecycle.ResultPromoted), exited("web", 2, lifecycle.Exit{}, time.Second, 1))
	open(t, path).Record(s.events[:3])
	j := open(t, path)
	j.Record(s.events[3:])
	if r := last(t, j, "web"); r.Result != lifecycle.ResultPromoted || r.Reason != "" || r.Drain != time.Second || r.Old != 2 {
		t.Errorf("it is remembered as %+v", r)
	}
	if q, _ := j.Request(1); !q.Done || q.Reason != "" || len(q.Services) != 1 {
		t.Errorf("the request is %+v", q)
	}
}

func TestTenReloadsAndTwoHundredRequestsAreKept(t *testing.T) {
	s := newStory()
	for i := range 400 {
		s.tell(reload("web", uint64(i+1), i+2)...)
	}
	both(t, s, func(t *testing.T, j *journal.Journal) {
		h := j.History("web")
		if len(h) != 10 || h[0].IDs[0] != 400 || h[9].IDs[0] != 391 || h[9].Drain != time.Second {
			t.Errorf("the history is of %d: %+v", len(h), h)
		}
		for id := uint64(1); id <= 400; id++ {
			q, ok := j.Request(id)
			if ok != (id > 200) || ok && (len(q.Services) != 1 || q.Services[0].Drain > time.Second) {
				t.Fatalf("request %d: %v, %+v", id, ok, q)
			}
		}
		if got := j.LastID(); got != 400 {
			t.Errorf("the last id is %d", got)
		}
	})
}

func TestMergedRequestsKeepTheirOneAnswer(t *testing.T) {
	s := newStory()
	for i := range 30 {
		id := uint64(2*i + 1)
		s.tell(request(id), request(id+1)).tell(promotion("web", i+2, id, id+1)...)
		s.tell(done(id, lifecycle.ResultPromoted), done(id+1, lifecycle.ResultPromoted))
	}
	both(t, s, func(t *testing.T, j *journal.Journal) {
		for id := uint64(1); id <= 60; id++ {
			if q, ok := j.Request(id); !ok || len(q.Services) != 1 || !slices.Contains(q.Services[0].IDs, id) {
				t.Fatalf("request %d is %+v", id, q)
			}
		}
		if h := j.History("web"); len(h) != 10 || h[0].IDs[0] != 59 || h[9].IDs[0] != 41 {
			t.Errorf("the history is %+v", h)
		}
	})
}

func TestRequestUnderWayIsKeptHoweverManyEnd(t *testing.T) {
	s := newStory().tell(request(1)).tell(promotion("slow", 2, 1)[:2]...)
	for i := range 300 {
		s.tell(reload("web", uint64(i+2), i+2)...)
	}
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	j.Record(s.events)
	if q, ok := j.Request(1); !ok || len(q.Services) != 1 {
		t.Errorf("the request is forgotten: %+v", q)
	}
}

// full returns an event that has a value in every field.
func full(t *testing.T) lifecycle.Event {
	t.Helper()
	var e lifecycle.Event
	fill(t, reflect.ValueOf(&e).Elem(), 1)
	e.At = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.Local)
	return e
}

func fill(t *testing.T, v reflect.Value, n int64) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("é%d\"\\\n\x1b\x7f", n))
	case reflect.Uint8:
		v.SetUint(uint64(n))
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(n)
	case reflect.Uint64:
		v.SetUint(uint64(n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(n, n).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(t, v.Field(i), n+int64(i))
			}
		}
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

func TestEveryFieldOfAnEventIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	want := []lifecycle.Event{full(t), {Seq: 2, At: full(t).At.Add(time.Second)}}
	j := open(t, path)
	j.Record(want)
	for range 2 {
		got := j.Past().Events()
		if len(got) != 2 {
			t.Fatalf("%d events are kept", len(got))
		}
		for i := range got {
			if !got[i].At.Equal(want[i].At) {
				t.Errorf("it was at %s, want %s", got[i].At, want[i].At)
			}
			got[i].At = want[i].At
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		j = open(t, path)
	}
}

func TestEveryFieldOfAReloadIsKept(t *testing.T) {
	var want journal.Entry
	fill(t, reflect.ValueOf(&want).Elem(), 1)
	if got := want.Kept(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", text(t, got), text(t, want))
	}
}

func TestTheLastThousandEventsAreKept(t *testing.T) {
	s := newStory()
	for range 2500 {
		s.tell(lifecycle.Event{Kind: lifecycle.KindAdvice, Reason: strings.Repeat("x", 100)})
	}
	both(t, s, func(t *testing.T, j *journal.Journal) {
		got := j.Past().Events()
		if len(got) != 1000 || got[0].Seq != 1501 || got[999].Seq != 2500 {
			t.Fatalf("%d events are kept, from %d", len(got), got[0].Seq)
		}
	})
}

func TestWithoutAFileAllIsRememberedInMemory(t *testing.T) {
	j := open(t, "")
	s := newStory()
	for i := range 2000 {
		s.tell(reload("web", uint64(i+1), i+2)...)
	}
	j.Record(s.events)
	if got := j.Past().Events(); len(got) != 1000 || got[999].Seq != s.seq {
		t.Errorf("%d events are kept", len(got))
	}
	if r := last(t, j, "web"); r.IDs[0] != 2000 {
		t.Errorf("the last reload is %+v", r)
	}
}

func TestQueriesDoNotDisturbRecording(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	var asking sync.WaitGroup
	stop := make(chan struct{})
	for _, ask := range []func(){
		func() { j.Last("web") },
		func() { j.History("web") },
		func() { j.Request(j.LastID()) },
		func() { j.Past().Events() },
	} {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					ask()
				}
			}
		})
	}
	s := newStory()
	for i := range 1500 { // more than 1 MiB of them
		s.tell(reload("web", uint64(i+1), i+2)...)
	}
	for batch := range slices.Chunk(s.events, 50) {
		j.Record(batch)
	}
	close(stop)
	asking.Wait()
	if r := last(t, j, "web"); r.IDs[0] != 1500 {
		t.Errorf("the last reload is %+v", r)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
