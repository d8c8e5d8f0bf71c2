package lifecycle

import (
	"slices"

	"hupwatch/config"
)

// A service that no client is led to, whose program ends by itself with success and is
// not to be started again then, is a task: it is done. That counts before the end of its
// warm-up too: how long a task takes is not known.

// isTask reports whether a service may be done. Where clients are led to an address, or
// somebody waits until it is ready, it is a server: its end is no success,
// whatever its exit code.
func isTask(c *config.Service) bool {
	return c.Restart != config.RestartAlways && len(c.Listen) == 0 && c.Publish == "" && c.Probe() == nil
}

// done reports whether an end is what a service is there for.
func (e Exit) done(c *config.Service) bool { return isTask(c) && e.clean(c, 0) }

// done reports whether the end of the active generation of a slot is what its service is
// there for. If another one is to take its place, that one decides.
func (sl *Slot) done(g *Generation) bool {
	return sl.Incoming == nil && g.LastStatus.done(g.service())
}

// doneEarly reports whether the generation that comes up is done before its warm-up is
// over. Where another one serves, or did until this one was to take its place, that is
// the end of a server. If others of its group live on, it went into the background.
func (m *Machine) doneEarly(sl *Slot) bool {
	g := sl.Incoming
	served := len(sl.Draining) > 0 || len(sl.Undone) > 0 || m.Serving() != nil || m.Current != nil && m.Current.Served
	ends := g.service().Essential && g.service().Restart == config.RestartNo // hupwatch does too, and says why
	return g.Phase == PhaseWarming && !served && !ends && g.LastStatus.done(g.service()) && !g.LastStatus.Rest
}

// finishTask takes it that the generation that comes up is done.
func (s *step) finishTask(sl *Slot) {
	g := sl.Incoming
	s.activate(sl, g, nil)
	s.crashed(sl, g)
	s.promoted(sl, g)
}

// retireDone leaves a slot alone whose generation is done. Its release is never started
// again by itself, nor gone back to: a task that was done is not done again for one that
// failed.
func (s *step) retireDone(sl *Slot, g *Generation) {
	sl.Backoff.clear()
	sl.Probation, sl.Undone = Probation{}, nil
	sl.History, s.keep = sl.History.done(g.Release), true
	sl.Done = true
	s.rest(sl, g.service(), StateDone)
	s.startedMeanwhile(g)
}

// startedMeanwhile answers those who asked for a start while one was under way that is
// done by now.
func (s *step) startedMeanwhile(g *Generation) {
	r := s.Current
	if r == nil || !r.Up || r.Begun || !s.allDone() {
		return
	}
	s.returnTurn(r)
	s.Current, s.Next = s.Next, nil
	s.do(Answer{IDs: r.IDs, Result: ResultStarted, Generation: g.Number, PID: g.PID})
}

// allDone reports whether every instance is done.
func (m *Machine) allDone() bool {
	return !slices.ContainsFunc(m.Slots, func(sl Slot) bool { return sl.Resting != StateDone || sl.Incoming != nil })
}
