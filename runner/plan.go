package runner

import (
	"fmt"
	"slices"
	"strings"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services"
)

// What a HUP would do to a service.
const (
	actionReload = "reload"
	actionStart  = "start"
	actionStop   = "stop"
	actionSkip   = "skip"
)

// plan says what a HUP would do with this configuration, and changes nothing. It
// reads the host, and may block on a file system that does not answer.
func plan(c *config.Config, seen []*services.Watcher, r services.Resolver) control.Plan {
	p := control.Plan{Config: c.File, Problems: []string{}, Services: []control.PlanService{}}
	known := make(map[string]*services.Watcher)
	for _, w := range seen {
		known[w.Name()] = w
		s, ok := c.Service(w.Name())
		w.Look(func(m *services.Machine) {
			switch {
			case ok:
				p.Services = append(p.Services, planOf(m, s))
			case !m.Removed():
				p.Services = append(p.Services, control.PlanService{Name: m.Name, Action: actionStop, Why: "the file names it no more", Changed: []string{}})
			}
		})
	}
	for _, s := range c.Services {
		if known[s.Name] == nil {
			p.Services = append(p.Services, planNew(s))
		}
	}
	for i := range p.Services {
		if s, ok := c.Service(p.Services[i].Name); ok && p.Services[i].Action != actionSkip {
			resolvePlan(&p.Services[i], s, r, known[s.Name])
		}
	}
	slices.SortFunc(p.Services, func(a, b control.PlanService) int { return strings.Compare(a.Name, b.Name) })
	return p
}

func planNew(s *config.Service) control.PlanService {
	p := control.PlanService{Name: s.Name, Action: actionStart, Why: "it is new in the file", Changed: []string{}}
	if !s.Autostart {
		p.Action, p.Why = actionSkip, "it is new in the file, and autostart = false"
	}
	return p
}

// planOf says what a HUP would do to a service that has a machine.
func planOf(m *services.Machine, s *config.Service) control.PlanService {
	p := control.PlanService{Name: s.Name, Action: actionReload, Changed: []string{}}
	from := m.Config
	if g := m.Slots[0].Active; g != nil {
		from = g.Release.Service
	}
	for _, c := range config.Changes(from, s) {
		p.Changed = append(p.Changed, c.Key)
	}
	switch state := m.State(); {
	case m.Removed() && s.Autostart:
		p.Action, p.Why = actionStart, "it is in the file again"
	case m.Removed(), !m.WantedUp:
		p.Action, p.Why = actionSkip, "it is wanted down"
	case state == services.StateRunning && len(p.Changed) > 0:
		p.Why = "changed: " + strings.Join(p.Changed, ", ")
	case state == services.StateRunning:
		p.Why = "nothing changed in the file"
	default:
		p.Action, p.Why = actionStart, fmt.Sprintf("it is in state %s", state)
	}
	return p
}

// resolvePlan adds what the new release would be, as far as it is another one.
func resolvePlan(p *control.PlanService, s *config.Service, r services.Resolver, w *services.Watcher) {
	made, err := r.Resolve(s)
	switch {
	case err != nil:
		p.Error = err.Error()
	case w != nil:
		w.Look(func(m *services.Machine) {
			if g := m.Slots[0].Active; g != nil && g.Release.Dir != made.Dir {
				p.Why = fmt.Sprintf("another release: %s, now %s", made.Dir, g.Release.Dir)
			}
		})
	}
}
