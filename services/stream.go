package services

import (
	"sync"
	"time"

	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
)

// Stream numbers events and hands them to all subscribers. No subscriber can make the
// others wait: one that does not keep up loses events and is told how many.
type Stream struct {
	mu          sync.Mutex // guards what is below
	seq         uint64
	subscribers []*mailbox.Box[lifecycle.Event]
}

// Subscribe returns a box that gets every event from now on. It holds at most limit
// events for a subscriber that does not keep up; 0 is no limit.
func (s *Stream) Subscribe(limit int) *mailbox.Box[lifecycle.Event] {
	box := mailbox.New[lifecycle.Event](limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers = append(s.subscribers, box)
	return box
}

// Publish numbers and dates an event and hands it on. It does not block.
func (s *Stream) Publish(e lifecycle.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	e.Seq, e.At = s.seq, time.Now()
	for _, box := range s.subscribers {
		box.Put(e)
	}
}

// Close tells the subscribers that no event will follow.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, box := range s.subscribers {
		box.Close()
	}
}
