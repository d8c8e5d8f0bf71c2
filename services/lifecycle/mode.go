package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	"hupwatch/config"
)

// otherwise begins a reload that does not start the new generation beside the old one.
// It reports whether there is nothing else to do.
func (s *step) otherwise(sl *Slot, g *Generation) bool {
	switch g.service().Reload {
	case config.ReloadStopFirst:
		old := sl.Active
		sl.Active, old.Role = nil, RoleOld
		s.replaced(sl, old, g.Release)
		old.Reloads = g.Reloads
		s.retire(sl, old, old.service().StopTimeout)
	case config.ReloadSignal:
		s.reloadBySignal(sl, g)
		return true
	case config.ReloadStartFirst:
	}
	return false
}

// fallBack starts the last good release again if the old generation had to stop first
// and the new one has failed. The reload ends with that.
func (s *step) fallBack(sl *Slot, g *Generation, reason string) bool {
	r := s.Current
	if g.service().Reload != config.ReloadStopFirst || !r.Served || sl.Active != nil || sl.Good == nil || sl.Done || !s.startable() {
		return false
	}
	r.FellBack, sl.Probation.Requests = reason, r.IDs
	if !sl.Good.Same(g.Release) {
		sl.Probation.State = ProbationUndone // that of the one before does not end meanwhile
		sl.Undone = append(slices.Clone(sl.Undone), g.Release)
	}
	s.emit(sl, g, Event{Kind: KindRolledBack, ServingRelease: sl.Good.Dir, Reason: reason})
	s.launch(sl, CauseRestart, sl.Good)
	return true
}

// fellBack reports whether the reload under way ends with what is started in this slot.
func (s *step) fellBack(sl *Slot) bool {
	return s.Current != nil && s.Current.FellBack != "" && &s.Slots[s.Current.Slot] == sl
}

// reloadBySignal lets the active generation reload itself, and observes it for as long
// as a new one would have to stay alive.
func (s *step) reloadBySignal(sl *Slot, made *Generation) {
	active, r := sl.Active, s.Current
	sl.Incoming = nil
	sig := made.service().ReloadSignal
	active.Passed, active.Reloads = sig, made.Reloads
	s.do(Pass{Generation: active.Number, Signal: sig, MainPID: active.MainPID})
	s.emit(sl, active, Event{Kind: KindForwarded, Signal: sig})
	var asleep []string
	for _, c := range config.Changes(active.Release.Service, made.service()) {
		if !c.Live && c.Key != "instances" {
			asleep = append(asleep, c.Key)
		}
	}
	switch {
	case len(asleep) > 0:
		r.Note = "not in force until it is started anew: " + strings.Join(asleep, ", ")
	case active.Release.Starts(made.Release):
		s.amend(sl, made.Release)
	}
	r.Watching, r.WatchedUntil = WatchAlive, s.now.Add(made.service().Warmup)
	r.ReadyUntil = r.WatchedUntil.Add(made.service().StartTimeout)
}

// watched goes on once a generation that reloaded itself has been observed for long
// enough.
func (s *step) watched() {
	r := s.Current
	if r == nil || r.Watching != WatchAlive || r.WatchedUntil > s.now {
		return
	}
	sl := &s.Slots[r.Slot]
	if sl.Active.Number != s.warmed { // its process may have ended
		return
	}
	r.Watching = WatchProbe
	if ready := sl.Active.ready(); ready != nil && !notifies(ready) {
		sl.Active.Proof.Asked = true
		s.do(Prove{Generation: sl.Active.Number, Instance: sl.Instance, Release: sl.Active.Release, Way: WayProbe, Ready: ready, AtOnce: 1})
		return
	}
	s.signalled(sl, "")
}

// probedActive takes the result of a probe of an instance that reloaded itself. One that
// nobody answered in time is made again, as long as a new generation would have.
func (s *step) probedActive(sl *Slot, in Proved) {
	r := s.Current
	if r == nil || r.Watching != WatchProbe || &s.Slots[r.Slot] != sl {
		return
	}
	if in.Late && s.now < r.ReadyUntil {
		r.Watching, r.WatchedUntil = WatchAlive, s.now.Add(everyLook)
		return
	}
	s.signalled(sl, in.Failure)
}

// signalled ends the reload of an instance that reloaded itself.
func (s *step) signalled(sl *Slot, failure string) {
	r := s.Current
	r.Watching = ""
	if failure != "" {
		s.finish(ResultFailed, fmt.Sprintf("after %s it was not ready: %s", config.SignalName(sl.Active.Passed), failure), sl, sl.Active)
		return
	}
	if !s.nextInstance() {
		s.finish(ResultSignalled, r.Note, sl, sl.Active)
	}
}

// signalledEnded ends the reload of an instance that ended during its own reload.
func (s *step) signalledEnded(sl *Slot, g *Generation) {
	if r := s.Current; r == nil || r.Watching == "" || &s.Slots[r.Slot] != sl {
		return
	}
	s.Current.Watching = ""
	s.finish(ResultFailed, fmt.Sprintf("%s after %s", g.LastStatus, config.SignalName(g.Passed)), sl, g)
}
