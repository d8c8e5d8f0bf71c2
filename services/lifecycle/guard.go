package lifecycle

import "slices"

// guard has the paths of the service's sockets watched, while there is more than
// one generation that may remove them, or open them anew. If nothing serves, what
// ends may remove its own.
func (s *step) guard() {
	g := Guard{On: true}
	for i := range s.Slots {
		switch sl := &s.Slots[i]; {
		case sl.Active == nil:
		case sl.Incoming.runs():
			g.Held = append(g.Held, sl.Paths...)
		default:
			g.Kept = append(g.Kept, sl.Paths...)
		}
	}
	s.Guarded = true
	s.do(g)
}

// runs reports whether a generation has a process, or is about to.
func (g *Generation) runs() bool {
	if g == nil {
		return false
	}
	switch g.Phase {
	case PhaseResolving, PhasePreparing, PhaseWaiting:
		return false
	default:
		return true
	}
}

// show has clients meet the incoming generation at the paths it opened itself.
func (s *step) show(sl *Slot) {
	if len(sl.Paths) > 0 {
		s.do(Show{})
	}
}

// unguard ends that once there is one generation only.
func (s *step) unguard() {
	if !s.Guarded {
		return
	}
	for i := range s.Slots {
		sl := &s.Slots[i]
		if sl.Incoming.runs() || len(sl.Draining) > 0 {
			return
		}
	}
	s.Guarded = false
	s.do(Guard{})
}

// retract removes what a generation that has gone was published as.
func (s *step) retract(g *Generation) {
	if path := g.service().Publish; path != "" {
		s.do(Retract{Generation: g.Number, Path: path})
	}
}

// keepSockets lets go of the sockets and public paths that nobody needs any more.
func (s *step) keepSockets() {
	s.do(KeepSockets{Listen: s.listens(), Publish: s.publishes()})
}

// publishes is every public path that is still needed.
func (m *Machine) publishes() []string {
	var all []string
	for _, c := range m.needs(true) {
		if c.Publish != "" {
			all = append(all, c.Publish)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
