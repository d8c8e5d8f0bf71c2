package rollout

import (
	"fmt"
	"slices"
	"strings"

	"hupwatch/services/lifecycle"
)

// checkProve: where another generation answered, more connections are opened at once
// the next time: one after the other may meet that one for ever.
func (w *world) checkProve(a *actor, e lifecycle.Prove) {
	if p := a.procs[e.Generation-1]; !p.promoted && p.met > 0 && e.AtOnce < min(16, 1<<p.met) {
		w.violated("generation %d of %s was not met %d times, and is looked at with %d connections at once", p.number, p.service, p.met, e.AtOnce)
	}
}

// checkKnown: no generation is ready before it is known what it has to do.
func (w *world) checkKnown(a *actor, was before) {
	if a.machine.Current == nil || a.machine.Observing == 0 {
		a.observing = 0 // it is too late, or the reload is over
	}
	for i := range a.machine.Slots {
		g := a.machine.Slots[i].Incoming
		if g == nil || g.Cause != lifecycle.CauseReload || g.Phase != lifecycle.PhaseWarming || was.slot(i).phase == lifecycle.PhaseWarming {
			continue
		}
		if c := g.Release.Service; c.Ready != nil || len(c.Listen) == 0 || len(a.proofs[g.Number].Waits) == len(c.Listen) && a.procs[g.Number-1].proven != 0 {
			continue // what waits on all its sockets is ready in any case
		}
		if a.observing != 0 {
			w.violated("generation %d of %s is ready before it was seen where generation %d waits for connections", g.Number, a.machine.Name, a.observing)
		}
		if late := was.slot(i).deadline <= w.now; !late {
			w.checkNotTooEarly(a, i)
		}
	}
}

// checkNotTooEarly: a generation that was seen to do nothing may just be slow to
// start, and tells nothing of what the next one has to do until its time is over.
func (w *world) checkNotTooEarly(a *actor, slot int) {
	g, active := a.machine.Slots[slot].Incoming, a.machine.Slots[slot].Active
	if active == nil || len(a.waited) > 0 || a.unseen {
		return
	}
	c := active.Release.Service
	if starts := a.procs[active.Number-1].execed.Add(c.StartTimeout); c.Ready == nil && len(c.Listen) > 0 && w.now < starts {
		w.violated("generation %d of %s is ready with nothing known of what it has to do, while generation %d may still be starting", g.Number, a.machine.Name, active.Number)
	}
}

// heardObserved notes what is known of where generations wait for connections.
func (w *world) heardObserved(a *actor, in lifecycle.Observed) {
	if in.Generation == a.observing {
		a.observing = 0
	}
	_, g := a.find(in.Generation)
	if g == nil || a.machine.Stopping != nil {
		return
	}
	a.seenToWait(in.Seen)
	late := w.now >= g.StartedAt.Add(g.Release.Service.StartTimeout)
	a.unseen = len(a.waited) == 0 && (a.unseen || in.Unseen != "" || late)
}

// checkSettled: who waits until nothing can be taken back any more is told when that is
// so.
func (w *world) checkSettled(a *actor) {
	if len(a.settling) > 0 && !slices.ContainsFunc(a.past, func(p *pastWatch) bool { return p.trial != 0 }) {
		w.violated("nothing of the requests %v to %s can be taken back any more, and nobody is told", a.settling, a.machine.Name)
	}
}

// checkWrittenDown: what has to outlive a reboot is handed to the disk at once.
func (w *world) checkWrittenDown(a *actor) {
	past := a.pastOf(0).list
	if len(past) == 0 {
		return
	}
	kept, same := w.archive[a.machine.Name], func(p, q lifecycle.Past) bool { return p.Well == q.Well && p.Release.Same(q.Release) }
	if !slices.EqualFunc(kept.History, past, same) {
		w.violated("of the releases of %s, %s is written down, and not %s", a.machine.Name, listed(kept.History), listed(past))
	}
	missing := slices.DeleteFunc(slices.Clone(a.waited), func(address string) bool { return slices.Contains(kept.Waiting.Seen, address) })
	if len(missing) > 0 {
		w.violated("it is not written down that generations of %s wait for connections on %v", a.machine.Name, missing)
	}
}

// checkBlame: what is undone names the requests that did it, however far back it goes.
func (w *world) checkBlame(a *actor, past *pastWatch, e lifecycle.Event) {
	if !slices.Equal(past.requests, e.Reloads) {
		w.violated("%s takes back what the requests %v did, and names %v", a.machine.Name, past.requests, e.Reloads)
	}
}

// listed names releases, and which of them served well.
func listed(past []lifecycle.Past) string {
	var b strings.Builder
	for _, p := range past {
		fmt.Fprintf(&b, " %s (well: %v)", p.Release.Dir, p.Well)
	}
	return b.String()
}
