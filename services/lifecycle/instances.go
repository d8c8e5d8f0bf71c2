package lifecycle

import (
	"cmp"
	"slices"
)

// The instances of a service are reloaded one after the other. Each has a slot. How
// many there are is said by the configuration that is started.

// grow makes room for so many instances.
func (s *step) grow(n int) {
	for i := len(s.Slots); i < max(1, n); i++ {
		s.Slots = append(s.Slots, Slot{Instance: i, Backoff: Backoff{NextStart: Never}})
	}
}

// follow starts the other instances of a service once the first one has a release: they
// get the same one.
func (s *step) follow() {
	first := &s.Slots[0]
	if first.Good != nil || !first.made() {
		return
	}
	g := first.Incoming
	s.grow(g.service().Instances)
	for i := 1; i < g.service().Instances; i++ { // some may be there, and drain what ran before
		if sl := &s.Slots[i]; sl.idle() {
			s.launch(sl, CauseStart, cmp.Or(s.good(sl), g.Release))
		}
	}
}

// made reports whether the slot has a release that does not come from a reload: a
// reload decides itself which instances get its release.
func (sl *Slot) made() bool {
	g := sl.Incoming
	return g != nil && g.Cause != CauseReload && g.Phase != PhaseResolving && g.Phase != PhasePreparing
}

// shrink ends the instances beyond that number.
func (s *step) shrink(n int) {
	for i := max(1, n); i < len(s.Slots); i++ {
		s.stopSlot(&s.Slots[i])
	}
}

// trim removes the slots of instances that are gone.
func (s *step) trim() {
	if s.Current != nil && s.Current.Begun {
		return
	}
	for n := len(s.Slots); n > 1 && s.Slots[n-1].idle() && len(s.Slots[n-1].Draining) == 0; n-- {
		s.Slots = s.Slots[:n-1]
	}
}

// idle reports whether nothing of the slot serves, or is going to.
func (sl *Slot) idle() bool {
	return sl.Active == nil && sl.Incoming == nil && sl.Good == nil && sl.Resting == "" && sl.NextStart == Never
}

// Serving returns a generation that serves; nil if none does.
func (m *Machine) Serving() *Generation {
	for i := range m.Slots {
		if g := m.Slots[i].Active; g != nil {
			return g
		}
	}
	return nil
}

// serves reports whether every instance does.
func (m *Machine) serves() bool {
	return m.Serving() != nil && !slices.ContainsFunc(m.Slots, func(sl Slot) bool { return sl.Active == nil && !sl.idle() })
}
