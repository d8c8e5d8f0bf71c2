package view

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"hupwatch/runner/control"
	"hupwatch/runner/journal"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
	"hupwatch/services/mistake"
)

// feedLimit bounds how many events are kept while the journal waits for a disk: as many
// as the reload of some ten thousand services has.
const feedLimit = 1 << 16

// readerLimit bounds what a client that does not keep up can cost.
const readerLimit = 4096

// Feed hands events to the clients once the journal has them: a client that hears that
// a request is done can ask the journal for the result.
type Feed struct {
	journal  *journal.Journal
	events   *mailbox.Box[lifecycle.Event]
	trouble  func(text string)
	mistakes mistake.Report
	done     chan struct{}
	missing  int // events lost before the next one; owned by run

	// recording is held until the readers have what the journal has.
	recording sync.Mutex

	mu      sync.Mutex      // guards what is below
	settles []chan struct{} // closed once the journal has what is in the box now
	stuck   bool            // the disk hangs: one of them has waited for too long
	readers map[*mailbox.Box[control.Event]]struct{}
	latest  uint64        // the last request that the journal has
	grown   chan struct{} // closed when that changes
	ended   bool
}

// StartFeed records the events of the stream until it is closed.
func StartFeed(j *journal.Journal, s *services.Stream, mistakes mistake.Report) *Feed {
	f := &Feed{
		journal: j, events: s.Subscribe(feedLimit), done: make(chan struct{}), mistakes: mistakes.Once(),
		trouble: func(text string) { s.Publish(lifecycle.Event{Kind: lifecycle.KindTrouble, Reason: text}) },
		readers: make(map[*mailbox.Box[control.Event]]struct{}), latest: j.LastID(), grown: make(chan struct{}),
	}
	go f.run() // ends with the stream; Wait waits for it
	return f
}

// Wait returns when everything up to the end of the stream is recorded, or after
// the patience if the disk hangs.
func (f *Feed) Wait(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
	}
}

func (f *Feed) run() {
	defer close(f.done)
	for range f.events.Wake {
		settles := f.takeSettles()
		events, lost, closed := f.events.Take()
		f.mistakes.Do("remember what happened", func() { f.record(events) })
		f.settled(settles)
		if f.missing += lost; lost > 0 { // which came when there was no room behind these
			f.trouble(fmt.Sprintf("the journal fell behind: it lacks %d events", lost))
		}
		if closed {
			f.end()
			_ = f.journal.Close() // nobody is left to tell
			return
		}
	}
}

func (f *Feed) record(events []lifecycle.Event) {
	f.recording.Lock()
	defer f.recording.Unlock()
	f.journal.Record(events)
	f.pass(events)
}

// pass hands on what the journal has.
func (f *Feed) pass(events []lifecycle.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.readers) == 0 {
		f.missing = 0
	} else {
		for i := range events {
			e := eventOf(&events[i])
			e.Lost, f.missing = f.missing, 0
			for box := range f.readers {
				box.Put(e)
			}
		}
	}
	if id := f.journal.LastID(); id != f.latest {
		f.latest = id
		close(f.grown)
		f.grown = make(chan struct{})
	}
}

func (f *Feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for box := range f.readers {
		box.Close()
	}
}

// follow returns a box that gets every event from now on, until cancel.
func (f *Feed) follow() (box *mailbox.Box[control.Event], cancel func()) {
	box = mailbox.New[control.Event](readerLimit)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		box.Close()
		return box, func() {}
	}
	f.readers[box] = struct{}{}
	return box, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.readers, box)
	}
}

// since returns what the journal has, and a box that gets every event after that.
func (f *Feed) since() (past journal.Past, box *mailbox.Box[control.Event], cancel func()) {
	f.recording.Lock()
	defer f.recording.Unlock()
	box, cancel = f.follow()
	return f.journal.Past(), box, cancel
}

// settleLimit is how long an answer waits for a disk that hangs: the status must not
// hang with it.
const settleLimit = time.Second

// settle returns once the journal has all that happened before, so that an answer is no
// older than its question. If the disk hangs, the answer is what the journal had
// before. Only the first call that finds this out has waited: later ones return at
// once, since an answer about a thousand services makes a thousand calls.
func (f *Feed) settle() {
	settled := make(chan struct{})
	f.mu.Lock()
	if f.stuck {
		f.mu.Unlock()
		return
	}
	f.settles = append(f.settles, settled)
	f.mu.Unlock()
	f.events.Rouse()
	timer := time.NewTimer(settleLimit)
	defer timer.Stop()
	select {
	case <-settled:
	case <-f.done:
	case <-timer.C:
		f.giveUp(settled)
	}
}

// giveUp makes settle return at once until the disk answers, unless it just did.
func (f *Feed) giveUp(settled chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-settled:
	default:
		f.stuck = true
	}
}

// takeSettles returns those that wait for what is in the box by now.
func (f *Feed) takeSettles() []chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	settles := f.settles
	f.settles = nil
	return settles
}

// settled tells them that the journal has it.
func (f *Feed) settled(settles []chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stuck = false
	for _, settled := range settles {
		close(settled)
	}
}

// errEnded says that nothing is recorded any more.
var errEnded = errors.New("hupwatch has ended")

// await returns when the journal knows a request.
func (f *Feed) await(ctx context.Context, id uint64) error {
	for {
		f.mu.Lock()
		latest, grown := f.latest, f.grown
		f.mu.Unlock()
		if latest >= id {
			return nil
		}
		select {
		case <-grown:
		case <-f.done:
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
