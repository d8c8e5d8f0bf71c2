package lifecycle

import (
	"slices"

	"hupwatch/config"
)

// guard watches the paths of the sockets of the service while there is more than one
// generation, which could remove them or open them anew. If nothing serves, a
// generation that ends may remove its own.
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

// runs reports whether a generation has a process, or is about to get one.
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

// hasPaths reports whether clients reach a generation by a path that is hupwatch's.
func (g *Generation) hasPaths() bool {
	return g != nil && slices.ContainsFunc(g.service().Listen, func(l config.Listen) bool { return l.Network == "unix" })
}

// show leads clients to the incoming generation at the paths that it opened itself.
func (s *step) show(sl *Slot) {
	if len(sl.Paths) > 0 {
		s.do(Show{})
	}
}

// unguard ends the watching once there is only one generation, unless a cleaner could
// remove the path of a socket that it has from hupwatch.
func (s *step) unguard() {
	if !s.Guarded {
		return
	}
	for i := range s.Slots {
		sl := &s.Slots[i]
		if sl.Incoming.runs() || len(sl.Draining) > 0 || sl.Active.hasPaths() {
			return
		}
	}
	s.Guarded = false
	s.do(Guard{})
}

// retract removes the own path of a published generation that is gone.
func (s *step) retract(g *Generation) {
	if path := g.service().Publish; path != "" {
		s.do(Retract{Generation: g.Number, Path: path})
	}
}

// keepSockets closes the sockets and removes the public paths that are not needed any
// more. It does so before what follows in this step, and the end of the step decides
// which those are: what ends one generation may start the next.
func (s *step) keepSockets() {
	if !slices.ContainsFunc(s.effects, keepsSockets) {
		s.do(KeepSockets{})
	}
}

func keepsSockets(e Effect) bool {
	_, is := e.(KeepSockets)
	return is
}

// settleSockets says which sockets and public paths are kept.
func (s *step) settleSockets() {
	if i := slices.IndexFunc(s.effects, keepsSockets); i >= 0 {
		s.effects[i] = KeepSockets{Listen: s.listens(), Publish: s.publishes(), Alone: s.alone()}
	}
}

// alone reports whether no generation lives that could still serve a socket which is
// closed. Those that were left when hupwatch ends do.
func (m *Machine) alone() bool {
	return m.living() == 0 && (m.Stopping == nil || m.Stopping.Why != StopLeave)
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
