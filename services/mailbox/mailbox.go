// Package mailbox hands values to the one goroutine that owns some state,
// without ever making the sender wait.
package mailbox

import "sync"

// Box is a queue with many senders and one receiver. The zero value is not
// usable; make one with New.
type Box[T any] struct {
	// Wake has a value whenever there may be something to Take.
	Wake  <-chan struct{}
	wake  chan struct{}
	limit int

	mu     sync.Mutex // guards what is below
	queue  []T
	lost   int
	closed bool
}

// New returns an empty box that holds at most limit values; 0 is no limit.
func New[T any](limit int) *Box[T] {
	wake := make(chan struct{}, 1)
	return &Box[T]{Wake: wake, wake: wake, limit: limit}
}

// Put adds a value. It never blocks: a full box counts the value as lost.
func (b *Box[T]) Put(v T) {
	b.mu.Lock()
	if b.limit > 0 && len(b.queue) >= b.limit {
		b.lost++
	} else {
		b.queue = append(b.queue, v)
	}
	b.mu.Unlock()
	b.signal()
}

// Rouse wakes the receiver though there may be nothing to Take.
func (b *Box[T]) Rouse() { b.signal() }

// Take empties the box: it returns the values in the order they came, how many
// were lost since the last call, and whether the box was closed after them.
func (b *Box[T]) Take() (values []T, lost int, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	values, lost = b.queue, b.lost
	b.queue, b.lost = nil, 0
	return values, lost, b.closed
}

// Close tells the receiver that nothing more will come.
func (b *Box[T]) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
}

func (b *Box[T]) signal() {
	select {
	case b.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}
