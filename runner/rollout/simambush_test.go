package rollout

import (
	"time"

	"hupwatch/services/lifecycle"
)

// ambush strikes at the moment a service enters a phase. Most phases are over in
// milliseconds; left to chance, nothing would ever happen in them.
type ambush struct {
	phase  string
	strike func(a *actor)
}

// phases are what an ambush can wait for.
var phases = []string{
	"resolving", "preparing", "waiting", "starting", "spawned", "proving", "warming", "publishing", "overlapping", "handover",
	"promoted", "draining", "asking", "resting", "stopping", "leftover", "watching", "between", "falling back", "hooked",
}

func (w *world) layAmbush() {
	strikes := []func(a *actor){
		func(*actor) { w.inbox = append(w.inbox, Hangup{}) },
		func(*actor) { w.deploy(); w.inbox = append(w.inbox, Hangup{}) },
		func(a *actor) { w.deploy(); w.sendNames(a.machine.Name) },
		func(*actor) { w.edit(); w.inbox = append(w.inbox, Hangup{}) },
		func(*actor) { w.flap() },
		func(*actor) { w.standStill() },
		func(a *actor) { w.freeze(a) },
		func(*actor) { w.freezeRollout() },
		w.crashNewest,
		w.crashActive,
		w.crashDraining,
		func(a *actor) { w.ask(w.drawDemand(a.machine.Name)) },
		func(a *actor) { w.ask(w.drawDemand(a.machine.Name)); w.ask(w.drawDemand(a.machine.Name)) },
		func(a *actor) { w.ask(Demand{What: VerbRestart, Names: []string{a.machine.Name}}) },
		func(a *actor) { w.ask(Demand{What: VerbStop, Names: []string{a.machine.Name}}) },
	}
	w.ambush = &ambush{phases[w.rng.IntN(len(phases))], strikes[w.rng.IntN(len(strikes))]}
	if w.chance(15) {
		w.ambush = &ambush{"hooked", w.crashDraining}
		w.ask(Demand{What: pick(w, VerbStop, VerbRestart), Names: w.drawNames()})
		w.askLater(w.upTo(20*time.Second), Demand{What: VerbStart})
		return
	}
	if w.chance(30) {
		w.edit()
		w.ask(w.drawDemand())
		return
	}
	w.deploy()
	w.hup(1)
}

func (w *world) layAmbushFor(strike func()) {
	w.ambush = &ambush{phases[w.rng.IntN(len(phases))], func(*actor) { strike() }}
	if w.chance(50) {
		w.crash()
	}
}

func (w *world) crashNewest(a *actor) {
	if n := len(a.procs); n > 0 && a.procs[n-1].spawned && !a.procs[n-1].dead {
		w.crashOne(a.procs[n-1])
	}
}

func (w *world) crashActive(a *actor) {
	if g := a.machine.Slots[w.rng.IntN(len(a.machine.Slots))].Active; g != nil && !a.procs[g.Number-1].dead {
		w.crashOne(a.procs[g.Number-1])
	}
}

func (w *world) crashDraining(a *actor) {
	for i := range a.machine.Slots {
		for _, g := range a.machine.Slots[i].Draining {
			if p := a.procs[g.Number-1]; p.spawned && !p.dead {
				w.crashOne(p)
			}
		}
	}
}

// spring springs the ambush if this is what it waits for.
func (w *world) spring(a *actor, was before) {
	if w.ambush == nil || !entered(w.ambush.phase, a, was) {
		return
	}
	strike := w.ambush.strike
	w.ambush = nil
	w.say("ambush: now that %s is %s", a.machine.Name, w.trace[len(w.trace)-1].who)
	if w.chance(50) {
		strike(a)
		return
	}
	w.after(w.upTo(5*time.Millisecond), func() { strike(a) })
}

func entered(phase string, a *actor, was before) bool {
	m := a.machine
	switch r := m.Current; phase {
	case "asking":
		return r != nil && r.Turn == lifecycle.TurnAsked && !was.asking
	case "stopping":
		return m.Stopping != nil && !was.ending
	case "watching":
		return r != nil && r.Watching != ""
	case "between":
		return r != nil && r.Between
	case "falling back":
		return r != nil && r.FellBack != ""
	}
	for i := range m.Slots {
		if slotEntered(phase, &m.Slots[i], was.slot(i)) {
			return true
		}
	}
	return false
}

func slotEntered(phase string, sl *lifecycle.Slot, was slotBefore) bool {
	in := lifecycle.Phase("")
	if sl.Incoming != nil {
		in = sl.Incoming.Phase
	}
	switch phase {
	case "spawned":
		return in == lifecycle.PhaseStarting && sl.Incoming.PID != 0 && !was.spawned
	case "promoted":
		return sl.Active != nil && sl.Active.Number != was.active && was.active != 0
	case "draining":
		return len(sl.Draining) > len(was.draining)
	case "resting":
		return sl.Active == nil && sl.Incoming == nil && was.active != 0
	case "leftover":
		return len(sl.Draining) > 0 && sl.Draining[len(sl.Draining)-1].MainGone && !was.leftover
	case "hooked": // before_stop, at a stop
		return len(sl.Draining) > 0 && sl.Draining[len(sl.Draining)-1].Hook != nil
	}
	return in == lifecycle.Phase(phase) && was.phase != in
}
