package lifecycle

import (
	"math"
	"time"
)

// Instant is a moment on the host's monotonic clock: the time since it booted.
// It means the same to every process until the next boot and does not move when
// somebody sets the clock.
type Instant time.Duration

// Never is later than every other Instant.
const Never Instant = math.MaxInt64

// Add returns the moment d later; Never if there is none.
func (t Instant) Add(d time.Duration) Instant {
	if d > 0 && Instant(d) > Never-t {
		return Never
	}
	return t + Instant(d)
}

// Sub returns how much later t is than u.
func (t Instant) Sub(u Instant) time.Duration {
	return time.Duration(t - u)
}
