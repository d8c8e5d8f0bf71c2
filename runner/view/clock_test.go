package view

import (
	"testing"
	"time"

	"hupwatch/services/lifecycle"
)

// clocks are two clocks, and what passes between the two readings of the second.
type clocks struct {
	wall    time.Time
	now     lifecycle.Instant
	between []time.Duration
}

func (c *clocks) pass(d time.Duration) {
	c.wall, c.now = c.wall.Add(d), c.now.Add(d)
}

func (c *clocks) read(w *wallClock) clock {
	return w.read(func() time.Time {
		var d time.Duration
		if len(c.between) > 0 {
			d, c.between = c.between[0], c.between[1:]
		}
		c.pass(d)
		return c.wall
	}, func() lifecycle.Instant { return c.now })
}

// Two looks at a service showed two times, a millisecond apart, for one promotion.
func TestWhatHappenedHasTheSameTimeAtEveryLook(t *testing.T) {
	c := &clocks{wall: noon, now: now}
	var w wallClock
	first := c.read(&w).at(in(-time.Minute))
	if want := noon.Add(-time.Minute); !first.Equal(want) {
		t.Fatalf("it happened at %v, want %v", first, want)
	}
	for _, between := range []time.Duration{0, 300 * time.Microsecond, 5 * time.Millisecond, 50 * time.Millisecond} {
		for range 3 {
			c.between = []time.Duration{between, between, between, between, between}
			c.pass(time.Second)
			if got := c.read(&w).at(in(-time.Minute)); !got.Equal(first.Time) {
				t.Errorf("it happened at %v, and before that at %v", got, first)
			}
		}
	}
	for range 60 { // the network's time is a little slower
		c.wall = c.wall.Add(-time.Millisecond)
		c.read(&w)
	}
	if got := c.read(&w).at(in(-time.Minute)); !got.Equal(first.Time) {
		t.Errorf("it happened at %v, and before that at %v", got, first)
	}
}

func TestAClockThatWasSetIsFollowed(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, time.Second} {
		c := &clocks{wall: noon, now: now}
		var w wallClock
		c.read(&w)
		c.wall = c.wall.Add(by)
		if got, want := c.read(&w).at(now), noon.Add(by); !got.Equal(want) {
			t.Errorf("set by %v: now is %v, want %v", by, got, want)
		}
	}
}

func TestAMomentIsReadAnewIfTooMuchPassesBetween(t *testing.T) {
	c := &clocks{wall: noon, now: now, between: []time.Duration{time.Second, 0}}
	var w wallClock
	if got, want := c.read(&w).at(in(time.Second)), noon.Add(time.Second); !got.Equal(want) {
		t.Errorf("the time is %v, want %v", got, want)
	}
}
