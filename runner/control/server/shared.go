package server

import (
	"context"
	"sync"

	"hupwatch/runner/control"
)

// shared makes a value once for all who want it at the same time. Nobody gets
// one whose making had begun before it was asked for.
type shared[T any] struct {
	turn sync.Mutex // held by the one that makes the value

	mu   sync.Mutex // guards what is below
	next *making[T] // which has not begun yet
}

type making[T any] struct {
	landed chan struct{}
	value  T
	err    error
}

// get returns a value that is made from now on.
func (f *shared[T]) get(ctx context.Context, build func() (T, error)) (T, error) {
	f.mu.Lock()
	mine := f.next
	if mine != nil {
		f.mu.Unlock()
		select {
		case <-mine.landed:
			return mine.value, mine.err
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
	mine = &making[T]{landed: make(chan struct{}), err: &control.Error{Reason: control.ReasonFailed, Message: "hupwatch met a mistake of its own"}}
	f.next = mine
	f.mu.Unlock()

	f.turn.Lock()
	defer f.turn.Unlock()
	defer close(mine.landed) // also if build panics
	f.mu.Lock()
	f.next = nil
	f.mu.Unlock()
	mine.value, mine.err = build()
	return mine.value, mine.err
}
