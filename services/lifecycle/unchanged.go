package lifecycle

import (
	"strings"

	"hupwatch/config"
	"hupwatch/services/release"
)

// nothingNew ends the reload of an instance if only something new was asked for, and
// nothing is. Keys that need no new process come into force.
func (s *step) nothingNew(sl *Slot, made *release.Release) bool {
	g, r := sl.Active, s.Current
	if g == nil || sl.Incoming.Cause != CauseReload || !r.Changed || !g.Release.Same(made) {
		return false
	}
	var live []string
	for _, c := range config.Changes(g.Release.Service, made.Service) {
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
		s.instanceDone(sl)
	case !s.nextInstance():
		s.finish(ResultSkipped, reason, sl, g)
	}
	return true
}

// NothingNew reports whether a reload with this release would change nothing: all
// instances run, with the same release.
func (m *Machine) NothingNew(made *release.Release) bool {
	running := 0
	for i := range m.Slots {
		g := m.Slots[i].Active
		if g == nil {
			continue
		}
		running++
		if !g.Release.Same(made) {
			return false
		}
	}
	return running == max(1, made.Service.Instances)
}

// amend puts the keys into force that need no new process.
func (s *step) amend(sl *Slot, made *release.Release) {
	amended := *sl.Active.Release
	amended.Service = made.Service
	sl.Active.Release, sl.Good = &amended, &amended
	sl.History = sl.History.promoted(&amended)
	s.Refused, s.Instead, s.keep = nil, "", true // it is what the file says
	s.do(Amend{made.Service})
}
