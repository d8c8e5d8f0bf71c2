package lifecycle

import (
	"slices"
)

// await takes the services that are to be ready before this one comes up. What is
// up stays so, and if it crashes it waits for nobody.
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

// tellAwaits says what it waits for, and who waits for it.
func (s *step) tellAwaits(requests []uint64) {
	s.emit(nil, nil, Event{Kind: KindAwaits, Names: slices.Clone(s.Awaits), Reloads: requests})
}

// held reports whether others are to be ready first.
func (m *Machine) held() bool {
	return len(m.Awaits) > 0 && !m.isUp()
}

// isUp reports whether anything of it serves, or is about to.
func (m *Machine) isUp() bool {
	return slices.ContainsFunc(m.Slots, func(sl Slot) bool { return sl.Active != nil || sl.Incoming != nil })
}

// tellDependents tells those that depend on the service whether they may start: it serves,
// has done what it had to, or is not wanted.
func (s *step) tellDependents() {
	ready := s.serves() || !s.WantedUp || s.State() == StateExited
	if ready != s.ToldReady {
		s.ToldReady = ready
		s.do(TellDependents{ready})
	}
}
