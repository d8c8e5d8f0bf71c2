package services

import (
	"slices"
	"strings"
)

// await takes the services that are to be ready before this one comes up. What is
// up stays so.
func (s *step) await(in Await) {
	if slices.Equal(s.Awaits, in.Names) {
		return
	}
	s.Awaits = in.Names
	if s.held() && s.WantedUp {
		s.emit(nil, nil, Event{Kind: KindAwaits, Reason: strings.Join(in.Names, ", ")})
	}
}

// held tells whether others are to be ready first.
func (m *Machine) held() bool {
	return len(m.Awaits) > 0 && !slices.ContainsFunc(m.Slots, func(sl Slot) bool { return sl.Active != nil || sl.Incoming != nil })
}

// stand tells those that depend on the service whether they may start: it serves,
// has done what it had to, or is not wanted.
func (s *step) stand() {
	ready := s.serves() || !s.WantedUp || s.State() == StateExited
	if ready != s.Stood {
		s.Stood = ready
		s.do(Standing{ready})
	}
}
