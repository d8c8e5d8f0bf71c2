package rollout

import (
	"slices"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// hook is one of a service's own commands on its way.
type hook struct {
	lifecycle.RunHook
	begun  lifecycle.Instant
	told   bool // the machine heard of its end
	ended  bool // it has
	killed bool
	void   bool // it was killed before its time was over
	code   bool // it did badly
}

// runs reports whether it lives, as far as anybody can know.
func (h *hook) runs() bool { return !h.ended && !h.killed }

// runHook runs one, for as long as it takes: mostly not long.
func (w *world) runHook(a *actor, e lifecycle.RunHook) {
	h := &hook{RunHook: e, begun: w.now}
	if a.hooks[e.Token] != nil {
		w.violated("%s runs two hooks as number %d", a.machine.Name, e.Token)
	}
	a.hooks[e.Token] = h
	took := w.upTo(500 * time.Millisecond)
	if !w.healthy {
		switch {
		case w.chance(20):
			took = w.upTo(90 * time.Second)
		case w.chance(5):
			w.faults++
			return // it hangs
		}
		if h.code = w.chance(15); h.code {
			w.faults++
		}
	}
	w.after(took, func() { w.hookEnds(a, h) })
}

func (w *world) hookEnds(a *actor, h *hook) {
	if !h.runs() {
		return
	}
	h.ended = true
	in := lifecycle.HookDone{Token: h.Token}
	if h.code {
		in.Failure, in.Tail = "exited with status 1", []string{"no such table"}
	}
	w.after(w.upTo(2*time.Millisecond), func() { w.post(a.machine.Name, in) })
}

// killHook ends one. That it ended may be on its way nevertheless.
func (w *world) killHook(a *actor, e lifecycle.KillHook) {
	h := a.hooks[e.Token]
	switch {
	case h == nil:
		w.violated("%s kills hook %d, which never ran", a.machine.Name, e.Token)
	case h.told:
		w.violated("%s kills %s %d after its end: its pid may be another's", a.machine.Name, h.Kind, e.Token)
	case h.killed:
		w.violated("%s kills %s %d twice", a.machine.Name, h.Kind, e.Token)
	}
	h.void = w.now < h.Deadline
	if h.runs() && w.chance(50) {
		w.after(w.upTo(2*time.Millisecond), func() { w.post(a.machine.Name, lifecycle.HookDone{Token: e.Token, Failure: "killed by signal KILL"}) })
	}
	h.killed = true
}

// publish makes the public path lead to a generation, in one step.
func (w *world) publish(a *actor, e lifecycle.Publish) {
	in := lifecycle.Published{Generation: e.Generation}
	if p := a.procs[e.Generation-1]; !w.healthy && w.chance(3) {
		w.faults++
		in.Failure = "symlink: read-only file system"
	} else {
		a.public[e.Path] = e.Generation
		p.publishTries = 0
	}
	if in.Failure != "" {
		a.procs[e.Generation-1].publishTries++
	}
	took := w.upTo(3 * time.Millisecond)
	if e.Old != 0 && in.Failure == "" && w.chance(20) {
		took = w.upTo(lifecycle.QueuePatience) // until its queue is empty
	}
	w.after(took, func() { w.post(a.machine.Name, in) })
}

// checkHook: what runs before a start or a stop is about what is to start or stop,
// and nothing runs for a service that has ended.
func (w *world) checkHook(a *actor, e lifecycle.RunHook) {
	name := a.machine.Name
	sl, g := a.find(e.Generation)
	switch {
	case e.Kind == config.HookAfterReload:
		if e.Result == "" || e.Release == nil {
			w.violated("%s runs after_reload and does not say what became of the reload", name)
		}
		return
	case g == nil:
		w.violated("%s runs %s for generation %d, which is none", name, e.Kind, e.Generation)
	case e.Kind == config.HookBeforeStart && g != sl.Incoming, e.Kind == config.HookBeforeStop && g == sl.Incoming:
		w.violated("%s runs %s for generation %d, which is %s", name, e.Kind, e.Generation, g.Phase)
	}
	for token, h := range a.hooks {
		if token != e.Token && h.Generation == e.Generation && h.Kind != config.HookAfterReload && !h.told && !h.killed {
			w.violated("%s runs %s for generation %d beside %s", name, e.Kind, e.Generation, h.Kind)
		}
	}
}

// checkPrepared: nothing is started whose before_start has not done well, unless
// that has run for its release before.
func (w *world) checkPrepared(a *actor, e lifecycle.Launch) {
	if len(e.Release.Service.BeforeStart) == 0 || a.reused[e.Generation] {
		return
	}
	for _, h := range a.hooks {
		if h.Kind == config.HookBeforeStart && h.Generation == e.Generation && h.told && !h.code && !h.void {
			return
		}
	}
	w.violated("generation %d of %s is started, and before_start has not done well", e.Generation, a.machine.Name)
}

// checkBeforeStop: the stop signal to what serves comes after before_stop.
func (w *world) checkBeforeStop(a *actor, p *proc) {
	if len(p.release.Service.BeforeStop) == 0 {
		return
	}
	for _, h := range a.hooks {
		if h.Kind == config.HookBeforeStop && h.Generation == p.number && !h.void && (h.told || h.killed) {
			return
		}
	}
	w.violated("generation %d of %s is told to end before before_stop has run", p.number, a.machine.Name)
}

// checkHooks: no hook runs longer than it may, and none once its service has
// ended.
func (w *world) checkHooks(a *actor) {
	for _, h := range a.hooks {
		if !h.runs() {
			continue
		}
		if a.over {
			w.violated("%s has ended, and its %s still runs", a.machine.Name, h.Kind)
		}
		if h.Deadline < w.now && a.frozen < w.now && len(a.inbox) == 0 && a.deadline > w.now {
			w.violated("%s of %s runs for %v, and nobody will ever kill it", h.Kind, a.machine.Name, w.now.Sub(h.begun))
		}
	}
}

// checkPublish: while something serves, the public path is not given to another
// before that is warm.
func (w *world) checkPublish(a *actor, e lifecycle.Publish) {
	sl, g := a.find(e.Generation)
	if g == nil || a.procs[e.Generation-1].toldExit {
		w.violated("%s publishes generation %d, which does not live", a.machine.Name, e.Generation)
	}
	if g == sl.Incoming && sl.Active != nil && !w.warm(a.procs[e.Generation-1]) {
		w.violated("generation %d of %s is published before its warm-up was over, and generation %d serves", e.Generation, a.machine.Name, sl.Active.Number)
	}
}

// checkPublic: the public path leads to what serves, or to what is about to take
// over, and to nothing that is dead.
func (w *world) checkPublic(a *actor) {
	g := a.machine.Slots[0].Active
	if g == nil || g.Release.Service.Publish == "" {
		return
	}
	leads := a.public[g.Release.Service.Publish]
	if leads == g.Number || a.procs[g.Number-1].publishTries > 0 || leads == 0 && !g.Published && len(a.inbox) > 0 {
		return
	}
	in := a.machine.Slots[0].Incoming
	if in != nil && in.Number == leads {
		switch in.Phase {
		case lifecycle.PhasePublishing, lifecycle.PhaseOverlapping, lifecycle.PhaseHandover:
			return
		}
	}
	w.violated("the public path of %s leads to generation %d, and generation %d serves", a.machine.Name, leads, g.Number)
}

// checkOverlap: where an old one served at the public path's side, both did so for
// the overlap.
func (w *world) checkOverlap(a *actor, p *proc, was slotBefore) {
	c := p.release.Service
	if c.Publish == "" || was.active == 0 || a.procs[was.active-1].toldExit || p.instance != 0 {
		return
	}
	if p.publishedAt == 0 || w.now < p.publishedAt.Add(c.Overlap) {
		w.violated("generation %d of %s takes over before the overlap of %v", p.number, p.service, c.Overlap)
	}
}

// checkGuard: where two generations of an instance may remove each other's sockets,
// those are guarded; where nothing is going on they are not.
func (w *world) checkGuard(a *actor, kept bool) {
	idle, paths := true, false
	for i := range a.machine.Slots {
		sl := &a.machine.Slots[i]
		paths = paths || sl.Active != nil && slices.ContainsFunc(a.procs[sl.Active.Number-1].release.Service.Listen, func(l config.Listen) bool { return l.Network == "unix" })
		idle = idle && sl.Incoming == nil && len(sl.Draining) == 0
		n := 0
		for _, p := range a.live {
			if p.instance == i && p.toldSpawned && !p.toldEmpty && !p.left {
				n++
			}
		}
		if n > 1 && !a.guard.On {
			w.violated("%s has %d generations of instance %d, and nobody guards its sockets", a.machine.Name, n, i)
		}
	}
	serves := slices.ContainsFunc(a.machine.Slots, func(sl lifecycle.Slot) bool { return sl.Active != nil })
	switch {
	case paths && !a.guard.On:
		w.violated("nobody guards the paths of %s, which serves", a.machine.Name)
	case idle && !paths && a.guard.On:
		w.violated("%s is idle, and its sockets are guarded", a.machine.Name)
	case len(a.guard.Kept) > 0 && !serves && kept:
		w.violated("%s keeps %v, and nothing serves there", a.machine.Name, a.guard.Kept)
	}
}

// find returns a generation of the machine, and its slot.
func (a *actor) find(number int) (*lifecycle.Slot, *lifecycle.Generation) {
	for i := range a.machine.Slots {
		sl := &a.machine.Slots[i]
		for _, g := range append([]*lifecycle.Generation{sl.Active, sl.Incoming}, sl.Draining...) {
			if g != nil && g.Number == number && number != 0 {
				return sl, g
			}
		}
	}
	return nil, nil
}
