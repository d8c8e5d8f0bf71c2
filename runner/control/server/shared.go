package server

import (
	"context"
	"sync"

	"hupwatch/runner/control"
)

// shared makes a value once for all callers that want it at the same time. No caller
// gets a value whose making began before the call.
type shared[T any] struct {
	turn sync.Mutex // held by the one that makes the value

	mu   sync.Mutex // guards what is below
	next *making[T] // which has not begun yet
}

type making[T any] struct {
	made  chan struct{}
	value T
	err   error
}

// get returns a value that is made from now on.
func (s *shared[T]) get(ctx context.Context, build func() (T, error)) (T, error) {
	s.mu.Lock()
	mine := s.next
	if mine != nil {
		s.mu.Unlock()
		select {
		case <-mine.made:
			return mine.value, mine.err
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
	mine = &making[T]{made: make(chan struct{}), err: &control.Error{Reason: control.ReasonFailed, Message: "internal error in hupwatch"}}
	s.next = mine
	s.mu.Unlock()

	s.turn.Lock()
	defer s.turn.Unlock()
	defer close(mine.made) // also if build panics
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	mine.value, mine.err = build()
	return mine.value, mine.err
}
