package lifecycle

import "hupwatch/config"

// A service whose program ends by itself with success, and is not to be started again
// then, is a task: it is done. That counts before the end of its warm-up too: how long
// a task takes is not known.

// done reports whether the end of a generation is what its service is there for: it
// ended with success, and restart says that this is no reason to start it again.
func (g *Generation) done() bool {
	c := g.service()
	return c.Restart != config.RestartAlways && g.LastStatus.clean(c, 0)
}

// doneEarly reports whether the generation that comes up is done before its warm-up is
// over. Where another one serves, or did until this one was to take its place, that is
// the end of a server, and so is the end of one that is waited for at an address or in
// another way. If others of its group live on, it went into the background.
func (m *Machine) doneEarly(sl *Slot) bool {
	g := sl.Incoming
	c := g.service()
	served := sl.Active != nil || len(sl.Draining) > 0 || m.Current != nil && m.Current.Served
	isServer := served || len(c.Listen) > 0 || c.Publish != "" || g.ready() != nil
	return g.Phase == PhaseWarming && !isServer && g.done() && !g.LastStatus.Rest
}

// finishTask takes it that the generation that comes up is done.
func (s *step) finishTask(sl *Slot) {
	g := sl.Incoming
	s.activate(sl, g, nil)
	s.crashed(sl, g)
	s.promoted(sl, g)
}

// retireDone leaves a slot alone whose generation is done. Its release is as good as one
// that served until it was told to stop.
func (s *step) retireDone(sl *Slot, g *Generation) {
	sl.Backoff.clear()
	sl.Probation, sl.Undone = Probation{}, nil
	sl.History, s.keep = sl.History.served(g.Release), true
	if closed := s.rest(sl, g.service(), StateDone); closed != "" {
		s.emit(sl, nil, Event{Kind: KindAdvice, Reason: "it is done, and restart says that it is not started again" + closed})
	}
}
