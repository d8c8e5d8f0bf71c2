package view

import (
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/runner/control/server"
	"hupwatch/runner/journal"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
)

// everyOne collects what there was and what comes, up to a last value.
func everyOne[T any](past []T, next *mailbox.Box[T], last func(T) bool) []T {
	all := past
	for len(all) == 0 || !last(all[len(all)-1]) {
		<-next.Wake
		values, _, _ := next.Take()
		all = append(all, values...)
	}
	return all
}

// told is what an api has of a hupwatch without services.
func told(host *services.Host, c *config.Config, load func() (*config.Config, config.Problems)) Source {
	s := Source{Host: host, Load: load, Front: &atomic.Pointer[Front]{}}
	s.Front.Store(&Front{Config: c})
	return s
}

func anHour() lifecycle.Instant { return lifecycle.Instant(time.Hour) }

func TestFollowerGetsEachEventOnce(t *testing.T) {
	t.Parallel()
	const rounds = 12
	stream := &services.Stream{}
	f := StartFeed(journal.Open(filepath.Join(t.TempDir(), "journal"), func(err error) { t.Error(err) }), stream, nil)
	a := &API{feed: f}
	done, published := make(chan struct{}), make(chan struct{})
	go func() { // one event after the other, as fast as they are recorded
		defer close(published)
		heard, cancel := f.follow()
		defer cancel()
		for {
			stream.Publish(lifecycle.Event{Kind: lifecycle.KindTrouble})
			select {
			case <-heard.Wake:
				heard.Take()
			case <-done:
				return
			}
		}
	}()
	for range rounds {
		past, next, cancel := a.Events()
		end := uint64(1)
		if len(past) > 0 {
			end = past[len(past)-1].Seq + 10
		}
		all := everyOne(past, next, func(e control.Event) bool { return e.Seq >= end })
		for i := range all[1:] {
			if all[i+1].Seq != all[i].Seq+1 {
				t.Fatalf("event %d comes after %d", all[i+1].Seq, all[i].Seq)
			}
		}
		cancel()
	}
	close(done)
	<-published
	stream.Close()
	f.Wait(time.Minute)
}

// What came in the first instants met a pointer to nothing: 500 for a status, and the
// end of hupwatch for a plan.
func TestWhatIsAskedBeforeTheServicesAreThereIsAnswered(t *testing.T) {
	t.Parallel()
	c := &config.Config{File: "/etc/hupwatch.toml"}
	from := told(&services.Host{Now: anHour}, c, func() (*config.Config, config.Problems) { return c, nil })
	stream := &services.Stream{}
	a := New("", from, StartFeed(journal.Open("", func(err error) { t.Error(err) }), stream, nil))
	if s := a.Status(); s.Config != c.File || len(s.Services) > 0 {
		t.Errorf("status %+v", s)
	}
	if _, found := a.Service("web"); found {
		t.Error("there is a service already")
	}
	if p, err := a.Plan(t.Context()); err != nil || p.Config != c.File {
		t.Errorf("plan %+v, %v", p, err)
	}
	stream.Close()
	a.feed.Wait(time.Minute)
}

// Who read in the log that a reload was done, and asked then, was told that it was
// still under way.
func TestAnAnswerIsNoOlderThanItsQuestion(t *testing.T) {
	t.Parallel()
	const rounds = 50
	stream := &services.Stream{}
	f := StartFeed(journal.Open(filepath.Join(t.TempDir(), "journal"), func(err error) { t.Error(err) }), stream, nil)
	a := New("", told(&services.Host{Now: anHour}, &config.Config{}, nil), f)
	for id := uint64(1); id <= rounds; id++ {
		stream.Publish(lifecycle.Event{Kind: lifecycle.KindRequest, Reloads: []uint64{id}})
		if r, known := a.Reload(id); !known || r.Done {
			t.Fatalf("reload %d is %+v, known %v, want one under way", id, r, known)
		}
		stream.Publish(lifecycle.Event{Kind: lifecycle.KindRequestDone, Reloads: []uint64{id}})
		if r, _ := a.Reload(id); !r.Done {
			t.Fatalf("reload %d is %+v, want one that is done", id, r)
		}
	}
	stream.Close()
	f.Wait(time.Minute)
	if r, _ := a.Reload(rounds); !r.Done { // nobody records any more
		t.Errorf("reload %d is %+v", rounds, r)
	}
}

func TestADiskThatHangsKeepsNoAnswerForEver(t *testing.T) {
	t.Parallel()
	stream := &services.Stream{}
	f := StartFeed(journal.Open("", func(err error) { t.Error(err) }), stream, nil)
	a := New("", told(&services.Host{Now: anHour}, &config.Config{}, nil), f)
	f.recording.Lock() // as while the disk takes what came before
	stream.Publish(lifecycle.Event{Kind: lifecycle.KindRequest, Reloads: []uint64{1}})
	if r, known := a.Reload(1); known {
		t.Errorf("the journal has %+v already", r)
	}
	for range 1000 { // of which each would wait as long
		a.Reload(1)
	}
	f.recording.Unlock()
	for stuck := true; stuck; { // until it is done with what it was held up with
		f.mu.Lock()
		stuck = f.stuck
		f.mu.Unlock()
		runtime.Gosched()
	}
	if _, known := a.Reload(1); !known {
		t.Error("the journal does not have it yet")
	}
	stream.Close()
	f.Wait(time.Minute)
}

func TestAPlanThatPanicsIsRefusedAndEndsNothing(t *testing.T) {
	t.Parallel()
	var reported []error
	host := &services.Host{Now: anHour, Mistakes: func(err error) { reported = append(reported, err) }}
	a := New("", told(host, &config.Config{}, func() (*config.Config, config.Problems) { panic("planted") }), nil)
	if _, err := a.Plan(t.Context()); err == nil || len(reported) != 1 {
		t.Errorf("answered %v, reported %v", err, reported)
	}
}

func TestAControlGroupThatIsFoundLateDoesNotUndoALaterOne(t *testing.T) {
	t.Parallel()
	a := New("", Source{}, nil)
	s := server.New(filepath.Join(t.TempDir(), "control.sock"), a, func(err error) { t.Error(err) })
	first, second := a.admissions.Add(1), a.admissions.Add(1)
	a.lookUp(second, "", s)
	a.lookUp(first, "0", s)
	if gid, ok := a.ControlGroup(); ok {
		t.Errorf("group %d may still ask", gid)
	}
	a.lookUp(a.admissions.Add(1), "0", s)
	if gid, ok := a.ControlGroup(); !ok || gid != 0 {
		t.Errorf("group %d may ask: %v", gid, ok)
	}
}
