package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/runner/rollout"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// plan says what a HUP would do with this configuration, and changes nothing. It
// reads the host, and may block on a file system that does not answer.
func plan(c *config.Config, front *Front, r release.Resolver) control.Plan {
	p := control.Plan{Config: c.File}
	known := make(map[string]*services.Watcher)
	for _, w := range front.Watchers {
		known[w.Name()] = w
		s, ok := c.Service(w.Name())
		w.Look(func(m *lifecycle.Machine) {
			switch {
			case ok:
				p.Services = append(p.Services, planOf(m, s))
			case !m.Removed():
				p.Services = append(p.Services, control.PlanService{Name: m.Name, Action: control.ActionStop, Why: "it was removed from the file"})
			}
		})
	}
	for _, s := range c.Services {
		if known[s.Name] == nil {
			p.Services = append(p.Services, planNew(s))
		}
	}
	for i := range p.Services {
		if s, ok := c.Service(p.Services[i].Name); ok && p.Services[i].Action != control.ActionSkip {
			resolvePlan(&p.Services[i], s, r, known[s.Name])
		}
	}
	if text := rollout.Vanished(front.Files, c); text != "" {
		p.Problems = []string{text}
	}
	slices.SortFunc(p.Services, func(a, b control.PlanService) int { return strings.Compare(a.Name, b.Name) })
	return p
}

func planNew(s *config.Service) control.PlanService {
	p := control.PlanService{Name: s.Name, Action: control.ActionStart, Why: "it is new in the file"}
	if !s.Autostart {
		p.Action, p.Why = control.ActionSkip, "it is new in the file, and autostart = false"
	}
	return p
}

// planOf says what a HUP would do to a service that has a machine.
func planOf(m *lifecycle.Machine, s *config.Service) control.PlanService {
	p := control.PlanService{Name: s.Name, Action: control.ActionReload}
	from := m.Config
	active := m.Serving()
	if active != nil {
		from = active.Release.Service
	}
	changes := config.Changes(from, s)
	for _, c := range changes {
		p.Changed = append(p.Changed, c.Key)
	}
	switch state := m.State(); {
	case m.Removed() && s.Autostart:
		p.Action, p.Why = control.ActionStart, "it is in the file again"
	case m.Removed(), !m.WantedUp:
		p.Action, p.Why = control.ActionSkip, m.WhyDown()
	case state == lifecycle.StateWaiting:
		p.Action, p.Why = control.ActionStart, "it waits for "+strings.Join(m.Awaits, ", ")+", and starts then"
	case state == lifecycle.StateDone && len(changes) == 0:
		p.Why = "it is done, and runs once more"
	case active == nil && state != lifecycle.StateDone:
		p.Action, p.Why = control.ActionStart, fmt.Sprintf("it is in state %s", state)
	case len(changes) > 0:
		p.Why = "changed: " + strings.Join(changesText(changes, from, s), ", ")
	default:
		p.Why = "nothing changed in the file"
	}
	if active != nil && p.Action == control.ActionReload {
		p.Notes = notesOf(s, changes)
	}
	return p
}

// changesText names the keys that changed, some with their values before and after.
func changesText(changes []config.Change, from, to *config.Service) []string {
	var all []string
	for _, c := range changes {
		text := c.Key
		switch c.Key {
		case "instances":
			text += fmt.Sprintf(" %d → %d", max(1, from.Instances), max(1, to.Instances))
		case "publish":
			text += fmt.Sprintf(" %s → %s", cmp.Or(from.Publish, "none"), cmp.Or(to.Publish, "none"))
		}
		all = append(all, text)
	}
	return all
}

// notesOf is what to know before the reload of a service that runs.
func notesOf(s *config.Service, changes []config.Change) []string {
	switch s.Reload {
	case config.ReloadStopFirst:
		return []string{`reload = "stop-first": it stops first, nothing serves until the new one does`}
	case config.ReloadSignal:
		notes := []string{fmt.Sprintf(`reload = "signal": it gets %s, there is no new process`, config.SignalName(s.ReloadSignal))}
		var asleep []string
		for _, c := range changes {
			if !c.Live {
				asleep = append(asleep, c.Key)
			}
		}
		if len(asleep) > 0 {
			notes = append(notes, fmt.Sprintf("not in force until it is started anew (hupwatch restart %s): %s", s.Name, strings.Join(asleep, ", ")))
		}
		return notes
	case config.ReloadStartFirst:
	}
	return nil
}

// resolvePlan adds the new release, if it is another one.
func resolvePlan(p *control.PlanService, s *config.Service, r release.Resolver, w *services.Watcher) {
	made, err := r.Resolve(s)
	switch {
	case err != nil:
		p.Error = err.Error()
	case w != nil:
		w.Look(func(m *lifecycle.Machine) {
			if g := m.Serving(); g != nil && g.Release.Dir != made.Dir {
				p.Why = otherRelease(p, s, made.Dir, g.Release.Dir)
			}
			p.NothingNew = p.Action == control.ActionReload && m.NothingNew(made)
		})
		if p.NothingNew && s.ReloadWhen == config.ReloadChanged {
			p.Action, p.Notes = control.ActionSkip, nil
			p.Why = fmt.Sprintf(`nothing new, and reload_when = "changed"; to reload it all the same: hupwatch reload %s`, s.Name)
		}
	}
}

// otherRelease says why a service that would run in another directory is reloaded.
func otherRelease(p *control.PlanService, s *config.Service, dir, now string) string {
	if s.Reload == config.ReloadSignal {
		return fmt.Sprintf("another release, which a signal does not put in place: %s, now %s", dir, now)
	}
	why := fmt.Sprintf("another release: %s, now %s", dir, now)
	if len(p.Changed) > 0 {
		why += "; " + p.Why
	}
	return why
}
