package lifecycle

import (
	"slices"
)

// await takes the services that must be ready before this one is started. If it is up,
// it stays so, and is started again after a crash without waiting.
func (s *step) await(in Await) {
	names := in.Names
	if s.isUp() {
		names = nil
	}
	if slices.Equal(s.Awaits, names) {
		return
	}
	s.Awaits = names
	if s.held() && s.WantedUp {
		s.tellAwaits(nil)
	}
}

// tellAwaits tells what the service waits for, and which requests wait for it.
func (s *step) tellAwaits(requests []uint64) {
	s.emit(nil, nil, Event{Kind: KindAwaits, Names: slices.Clone(s.Awaits), Reloads: requests})
}

// held reports whether other services must be ready first.
func (m *Machine) held() bool {
	return len(m.Awaits) > 0 && !m.isUp()
}

// isUp reports whether anything of the service serves, or is about to.
func (m *Machine) isUp() bool {
	return slices.ContainsFunc(m.Slots, func(sl Slot) bool { return sl.Active != nil || sl.Incoming != nil })
}

// tellDependents tells the services that depend on this one whether they may start: it
// serves, has ended as it was meant to, or is not wanted.
func (s *step) tellDependents() {
	ready := s.serves() || !s.WantedUp || s.State() == StateExited
	if ready != s.ToldReady {
		s.ToldReady = ready
		s.do(TellDependents{ready})
	}
}
