package server

import "time"

// backoff is the pause after something failed: longer each time in a row.
type backoff struct{ first, most, now time.Duration }

func (b *backoff) reset() { b.now = 0 }

// wait pauses, and says whether it was to the end.
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
