package server

import "time"

// backoff is the pause after a failure. It is longer after each one in a row.
type backoff struct{ first, most, now time.Duration }

func (b *backoff) reset() { b.now = 0 }

// wait pauses. It returns false if end came before the pause was over.
func (b *backoff) wait(end <-chan struct{}) bool {
	b.now = min(max(2*b.now, b.first), b.most)
	timer := time.NewTimer(b.now)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-end:
		return false
	}
}
