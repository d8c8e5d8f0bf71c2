package lifecycle

import (
	"time"

	"hupwatch/config"
)

// calm is how long a generation must run, from when it was ready, for the ends before
// it to be forgotten.
const calm = 10 * time.Second

// Backoff decides when a generation is started again after its end: at once after a
// calm run, then after restart_delay, which doubles up to restart_max_delay.
type Backoff struct {
	// Ends counts the ends in a row without a calm run.
	Ends int
	// Restarts counts the starts since the last calm run.
	Restarts int
	// NextStart is when to start again; Never if nothing is to be started.
	NextStart Instant
}

// end takes note of an end and returns the delay until the next start, or false if
// restart_limit forbids one.
func (b *Backoff) end(now Instant, s *config.Service, calmRun bool) (time.Duration, bool) {
	b.Ends++
	if calmRun {
		b.Ends, b.Restarts = 0, 0
	}
	if s.RestartLimit > 0 && b.Ends >= s.RestartLimit {
		b.NextStart = Never
		return 0, false
	}
	delay := b.delay(s)
	b.Restarts++
	b.NextStart = now.Add(delay)
	return delay, true
}

func (b *Backoff) delay(s *config.Service) time.Duration {
	if b.Restarts == 0 {
		return 0
	}
	delay := s.RestartDelay
	for i := 1; i < b.Restarts && 0 < delay && delay < s.RestartMaxDelay; i++ {
		if delay > s.RestartMaxDelay/2 {
			return s.RestartMaxDelay
		}
		delay *= 2
	}
	return min(delay, s.RestartMaxDelay)
}

// clear forgets the ends: no start is due, and the next end is the first.
func (b *Backoff) clear() {
	*b = Backoff{NextStart: Never}
}
