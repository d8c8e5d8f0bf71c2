package lifecycle

import (
	"hupwatch/services/release"
)

// exitNeverRan is the exit code of a command that could not be executed, as in a shell.
const exitNeverRan = 127

// Slot is one instance of a service: at most one generation that serves, at most one
// that is to take its place, and those that drain.
type Slot struct {
	Instance int
	Active   *Generation
	Incoming *Generation
	Draining []*Generation
	// Good is the release that was promoted last: it is started after a crash. Done is
	// set if it was a task that is done.
	Good *release.Release
	Done bool
	// History is the releases that were promoted. Undone are those that failed since a
	// roll back began, or since hupwatch began to look for an older one.
	History   History
	Undone    []*release.Release
	Probation Probation
	Backoff
	// NextCause is why a generation is started at NextStart.
	NextCause Cause
	// Resting is the state of an instance that is not started by itself: its last
	// generation is done, or it is given up.
	Resting State
	// LastEnd is how the last generation ended by itself, at LastEndAt.
	LastEnd   Exit
	LastEndAt Instant
	// Paths are those of the unix sockets that the active generation had opened itself
	// when the reload began.
	Paths []string
}

func (sl *Slot) generations() []*Generation {
	all := make([]*Generation, 0, 2+len(sl.Draining))
	if sl.Active != nil {
		all = append(all, sl.Active)
	}
	if sl.Incoming != nil {
		all = append(all, sl.Incoming)
	}
	return append(all, sl.Draining...)
}

// draining counts the generations that drain. Those that survived their KILL do not
// count: no reload could ever begin again.
func (sl *Slot) draining() int {
	n := 0
	for _, g := range sl.Draining {
		if !g.Abandoned {
			n++
		}
	}
	return n
}

func (sl *Slot) deadline(startable bool) Instant {
	next := sl.Probation.deadline()
	if g := sl.Incoming; g != nil {
		next = min(next, g.Deadline, g.Proof.Next, g.hookDeadline())
	} else if sl.Active == nil && startable {
		next = min(next, sl.NextStart)
	}
	if g := sl.Active; g != nil {
		next = min(next, g.hookDeadline(), g.Proof.Next)
	}
	for _, g := range sl.Draining {
		next = min(next, g.hookDeadline())
		switch {
		case g.Abandoned:
		case g.Killed:
			next = min(next, g.KilledAt.Add(abandonAfter))
		default:
			next = min(next, g.KillAt)
		}
	}
	return next
}

// expire does what is due for a slot: deadlines that have passed.
func (s *step) expire(sl *Slot) {
	for _, g := range sl.generations() {
		s.hookExpired(sl, g)
	}
	s.observeOn(sl.Active)
	s.expireDraining(sl)
	if sl.Incoming != nil { // it may have waited for those
		s.advance(sl)
	}
}
