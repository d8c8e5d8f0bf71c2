package lifecycle

import (
	"strings"

	"hupwatch/config"
	"hupwatch/services/release"
)

// nothingNew ends the reload of an instance if only something new was asked for, and
// nothing is. Keys that need no new process come into force.
func (s *step) nothingNew(sl *Slot, made *release.Release) bool {
	now, r := sl.now(made.Service), s.Current
	if now == nil || sl.Incoming.Cause != CauseReload || !r.Changed || !now.Same(made) {
		return false
	}
	var live []string
	for _, c := range config.Changes(now.Service, made.Service) {
		live = append(live, c.Key)
	}
	reason := "nothing new"
	if len(live) > 0 {
		reason += " to start with; now in force: " + strings.Join(live, ", ")
	}
	s.amend(sl, made)
	sl.Incoming = nil
	switch {
	case r.New:
		s.instanceDone(sl, sl.Active)
	case !s.nextInstance():
		s.finish(ResultSkipped, reason, sl, sl.Active)
	}
	return true
}

// NothingNew reports whether a reload with this release would change nothing: all
// instances run, or are done, with the same release.
func (m *Machine) NothingNew(made *release.Release) bool {
	same := 0
	for i := range m.Slots {
		now := m.Slots[i].now(made.Service)
		if now == nil {
			continue
		}
		same++
		if !now.Same(made) {
			return false
		}
	}
	return same == max(1, made.Service.Instances)
}

// now is the release that serves or, by what the file says now, is done; nil if there is
// neither.
func (sl *Slot) now(c *config.Service) *release.Release {
	switch {
	case sl.Active != nil:
		return sl.Active.Release
	case sl.Resting == StateDone && sl.LastEnd.done(c):
		return sl.Good
	}
	return nil
}

// amend puts the keys into force that need no new process.
func (s *step) amend(sl *Slot, made *release.Release) {
	amended := *sl.now(made.Service)
	amended.Service = made.Service
	sl.Good = &amended
	if sl.Active != nil {
		sl.Active.Release = &amended
	}
	sl.History = sl.History.promoted(&amended)
	s.Refused, s.Instead, s.keep = nil, "", true // it is what the file says
	s.do(Amend{made.Service})
}
