package rollout

import (
	"slices"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// stands notes what a service is to those that depend on it.
func (w *world) stands(a *actor, e lifecycle.TellDependents) {
	a.stood = a.stood || e.Ready
	w.inbox = append(w.inbox, DependencyReady{a.machine.Name, e.Ready, e.Failed})
}

// waitsFor notes whom a service has to wait for that comes up for the first time.
func (w *world) waitsFor(a *actor, c *config.Service) {
	a.firstAfter = c.DependsOn
}

// checkTurnOfStart: what depends on others is not started before they were ready,
// or were in the file no more. Later starts are nobody's concern.
func (w *world) checkTurnOfStart(a *actor) {
	c, _ := w.rollout.Config.Service(a.machine.Name)
	for _, name := range a.firstAfter {
		other, ok := w.actors[name]
		_, known := w.rollout.Config.Service(name)
		if !ok || other.stood || other.stopping || !known || c == nil || !slices.Contains(c.DependsOn, name) {
			continue
		}
		w.violated("%s is started before %s, which it depends on, was ready", a.machine.Name, name)
	}
	a.firstAfter = nil
}

// checkStopTurn: what others depend on is told to end once those are gone.
func (w *world) checkStopTurn(e Tell) {
	last, ok := e.Input.(lifecycle.Stop)
	if !ok || last.Why != lifecycle.StopShutdown || w.watch.killed {
		return
	}
	for _, s := range w.rollout.Config.Services {
		if a := w.actors[s.Name]; a != nil && slices.Contains(s.DependsOn, e.Service) && !a.over {
			w.violated("%s is told to end, and %s, which depends on it, has not ended", e.Service, s.Name)
		}
	}
}

// checkDownTurn: likewise where somebody stops both.
func (w *world) checkDownTurn(e Tell) {
	down, ok := e.Input.(lifecycle.Down)
	if !ok {
		return
	}
	q := w.rollout.requests[down.ID]
	for _, s := range w.rollout.Config.Services {
		if slices.Contains(s.DependsOn, e.Service) && q != nil && q.waiting[s.Name] {
			w.violated("%s is stopped, and %s, which depends on it, is to stop too and has not", e.Service, s.Name)
		}
	}
}

// depth is how many services the file has that end one after the other, at most.
func depth(c *config.Config) int {
	memo := make(map[string]int)
	var of func(name string) int
	of = func(name string) int {
		s, ok := c.Service(name)
		if !ok || memo[name] > 0 {
			return memo[name]
		}
		n := 1
		for _, other := range s.DependsOn {
			n = max(n, 1+of(other))
		}
		memo[name] = n
		return n
	}
	most := 1
	for _, s := range c.Services {
		most = max(most, of(s.Name))
	}
	return most
}
