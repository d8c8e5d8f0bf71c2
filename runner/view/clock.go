package view

import (
	"sync/atomic"
	"time"

	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
)

// clock turns an Instant into a time for people.
type clock struct {
	wall time.Time
	now  lifecycle.Instant
}

// at returns the time of an Instant; zero for Never and for what has not happened.
func (c clock) at(i lifecycle.Instant) control.Time {
	if i == 0 || i == lifecycle.Never {
		return control.Time{}
	}
	return control.Time{Time: c.wall.Add(i.Sub(c.now))}
}

// wallClock reads the clock for people beside that of the machines. What happened once
// has the same time at every look, until somebody sets the clock.
type wallClock struct {
	shift atomic.Int64 // what the one shows more than the other, in ns; 0 if it was never read
}

// The two clocks cannot be read at the same moment: they are read anew, a few times, if
// there was more than a moment between. If they differ by more than set from what was
// known, the clock was set.
const (
	moment   = time.Millisecond
	mostRead = 5
	set      = 100 * time.Millisecond
)

func (w *wallClock) read(wall func() time.Time, monotonic func() lifecycle.Instant) clock {
	var now lifecycle.Instant
	var shift time.Duration
	for range mostRead {
		before := monotonic()
		shift = time.Duration(wall().UnixNano() - int64(before))
		if now = monotonic(); now.Sub(before) < moment {
			break
		}
	}
	known := time.Duration(w.shift.Load())
	if known == 0 || (shift-known).Abs() > set {
		w.shift.Store(int64(shift))
		known = shift
	}
	return clock{wall: time.Unix(0, int64(now)+int64(known)), now: now}
}
