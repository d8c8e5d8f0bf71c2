package services

import (
	"fmt"
	"time"
)

// Probation is the time, from the stop signal to the old generation on, in which
// a release that was promoted can still be taken back.
type Probation struct {
	// Fallback is the last good release before it; nil where there is none, or
	// the time is over.
	Fallback *Release
	Until    Instant
}

// begin puts what was just promoted on probation. A release that is itself still
// on probation is no fallback: that stays the one before.
func (p *Probation) begin(now Instant, before *Release, d time.Duration) {
	if p.Fallback == nil || p.Until <= now { // nobody may have looked since
		p.Fallback = before
	}
	p.Until = now.Add(d)
	if d == 0 {
		p.Fallback = nil
	}
}

// deadline is when the fallback is not needed any more.
func (p *Probation) deadline() Instant {
	if p.Fallback == nil {
		return Never
	}
	return p.Until
}

// rollBack makes the fallback the good release again, where what ended by itself
// was on probation.
func (s *step) rollBack(sl *Slot, g *Generation) bool {
	p := &sl.Probation
	e := g.LastStatus
	askedFor := e.Signal != 0 && e.Signal == g.Passed
	if p.Fallback == nil || s.now >= p.Until || askedFor || !s.startable() {
		return false
	}
	sl.Good, p.Fallback = p.Fallback, nil
	reason := fmt.Sprintf("it ended within its probation: %s after %s; is its warmup long enough?", e, round(s.now.Sub(g.ActiveAt)))
	if r := s.Under; r != nil && r.Begun && sl.Instance < r.Slot {
		r.Undone = fmt.Sprintf("instance %d: %s", sl.Instance, reason)
	}
	s.afterReload(sl, g, ResultRolledBack, reason)
	s.emit(sl, g, Event{
		Kind: KindRolledBack, Exit: &e, ServingRelease: sl.Good.Dir,
		Reason: reason,
	})
	return true
}

// endProbation lets go of a fallback whose time is over. Its sockets went when it
// was replaced: an address that moves to another service must be free for that.
func (s *step) endProbation(sl *Slot) {
	if sl.Probation.Fallback == nil || s.now < sl.Probation.Until {
		return
	}
	sl.Probation.Fallback = nil
}
