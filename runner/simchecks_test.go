package runner

import (
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"hupwatch/config"
	"hupwatch/services"
)

// violation is what an invariant that does not hold panics with.
type violation string

func (w *world) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.say("VIOLATED: %s", text)
	panic(violation(text))
}

// revision is which version of the file a configuration comes from.
func revision(c config.Service) int {
	n, err := strconv.Atoi(c.Environment["REVISION"])
	if err != nil {
		panic(err)
	}
	return n
}

// before notes what a machine is about to be told.
func (w *world) before(a *actor, in services.Input) {
	a.draining = max(a.draining, a.machine.Config.MaxDraining)
	at := func(number int) *proc { return w.procs[generation{a.machine.Name, number}] }
	switch in := in.(type) {
	case services.Spawned:
		at(in.Generation).toldSpawned = true
	case services.Exited:
		at(in.Generation).toldExit = true
		at(in.Generation).toldEmpty = !in.Exit.Rest
	case services.Emptied:
		at(in.Generation).toldEmpty = true
	case services.Stop:
		a.stopping, a.final = true, a.final || in.Final
	case services.Declare:
		a.stopping = a.final
	case services.Reload:
		a.draining = max(a.draining, in.Config.MaxDraining)
	}
}

// checkRollout: what was refused changes nothing; a name file reloads nobody
// else; a bad file reloads nobody.
func (w *world) checkRollout(in input, effects []effect) {
	read, ok := in.(configRead)
	if !ok {
		return
	}
	for _, e := range effects {
		if t, ok := e.(tell); ok && read.config == nil {
			w.violated("a bad file made %s hear %s", t.service, show(t.input))
		}
	}
	if read.config != nil {
		w.parsed = read.config
	}
}

func (w *world) checkEffect(a *actor, e services.Effect) {
	switch e := e.(type) {
	case services.Signal:
		w.checkSignal(a, e)
	case services.Answer:
		w.checkAnswer(a, e)
	case services.Emit:
		w.checkEvent(a, e.Event)
	case services.Launch:
		living := a.machine.Living()
		if !slices.ContainsFunc(living, func(l services.Living) bool { return l.Generation == e.Generation }) {
			w.violated("generation %d of %s is started before the ledger knows it", e.Generation, a.machine.Name)
		}
	}
}

// checkSignal: no signal to a process that is gone, none twice, and none to a
// generation that serves unless another one has proven itself or the service is
// to stop.
func (w *world) checkSignal(a *actor, e services.Signal) {
	p := w.procs[generation{a.machine.Name, e.Generation}]
	if p == nil || !p.toldSpawned {
		w.violated("signal to generation %d of %s, which has no process", e.Generation, a.machine.Name)
	}
	if p.toldEmpty || p.toldExit && !e.Group {
		w.violated("signal to generation %d of %s after its end: its pid may be another's", e.Generation, a.machine.Name)
	}
	first := p.stops+p.groupStops+p.kills == 0
	count := &p.stops
	switch {
	case e.Signal == syscall.SIGKILL:
		count = &p.kills
	case e.Group:
		count = &p.groupStops
	}
	*count++
	if *count > 1 {
		w.violated("generation %d of %s is sent %s twice", e.Generation, a.machine.Name, services.SignalName(e.Signal))
	}
	if first {
		p.stoppedAt = w.now
	}
	if !p.promoted || p.toldExit || a.stopping {
		return
	}
	if first && !w.replaced(p) {
		w.violated("generation %d of %s is told to end while nothing has taken its place", e.Generation, a.machine.Name)
	}
	if e.Signal == syscall.SIGKILL && w.now < p.stoppedAt.Add(p.release.Service.StopTimeout) {
		w.violated("generation %d of %s is killed before its stop_timeout", e.Generation, a.machine.Name)
	}
}

// replaced tells whether a later generation lives, as far as anybody can know,
// and has done so for its warm-up.
func (w *world) replaced(p *proc) bool {
	for _, q := range w.procs {
		if q.service == p.service && q.number > p.number && q.promoted && !q.toldExit && w.warm(q) {
			return true
		}
	}
	return false
}

func (w *world) warm(p *proc) bool {
	return p.execed != 0 && w.now.Sub(p.execed) >= p.release.Service.Warmup
}

// checkAnswer: every request is answered once, truly, and by a release that is
// not older than the request.
func (w *world) checkAnswer(a *actor, e services.Answer) {
	name := a.machine.Name
	for _, id := range e.IDs {
		asked, ok := w.pending[name][id]
		switch {
		case !ok && e.Result == services.ResultStopped, !ok && e.Result == services.ResultAborted:
			continue // the answer to a stop
		case !ok:
			w.violated("%s answers request %d, which was answered or never made", name, id)
		}
		delete(w.pending[name], id)
		if e.Result != services.ResultPromoted && e.Result != services.ResultStarted {
			continue
		}
		p := w.procs[generation{name, e.Generation}]
		if p == nil || !p.promoted || p.toldExit {
			w.violated("%s answers request %d with %s, but generation %d does not serve", name, id, e.Result, e.Generation)
		}
		if got := revision(p.release.Service); got < asked {
			w.violated("%s answers request %d with a release of revision %d, asked for was %d", name, id, got, asked)
		}
	}
	running := a.machine.State() == services.StateRunning
	if e.Result == services.ResultKeptOld && !running {
		w.violated("%s says kept_old, but nothing serves", name)
	}
	if e.Result == services.ResultFailed && running {
		w.violated("%s says failed, but something serves", name)
	}
}

// checkEvent: a warm-up is never shortened, and the dead are not promoted.
func (w *world) checkEvent(a *actor, e services.Event) {
	if e.Kind != services.KindPromoted {
		return
	}
	p := w.procs[generation{a.machine.Name, e.Generation}]
	p.promoted = true
	if p.toldExit {
		w.violated("generation %d of %s is promoted after its end", e.Generation, a.machine.Name)
	}
	if !w.warm(p) {
		w.violated("generation %d of %s is promoted before its warm-up was over", e.Generation, a.machine.Name)
	}
}

// checkLedger: whatever lives is in the ledger before anything else is done, so
// that the next hupwatch knows it wherever this one dies.
func (w *world) checkLedger(a *actor) {
	living := a.machine.Living()
	for _, p := range w.procs {
		if p.service != a.machine.Name || p.toldEmpty {
			continue
		}
		if !slices.ContainsFunc(living, func(l services.Living) bool { return l.Generation == p.number }) {
			w.violated("generation %d of %s lives, but the ledger does not know it", p.number, a.machine.Name)
		}
	}
}

func (w *world) checkMachine(a *actor) {
	m := a.machine
	incoming := 0
	for _, p := range w.procs {
		if p.service == m.Name && p.toldSpawned && !p.toldExit && !p.promoted && p.stops+p.groupStops+p.kills == 0 {
			incoming++
		}
	}
	if incoming > len(m.Slots) {
		w.violated("%s has %d incoming generations", m.Name, incoming)
	}
	for i := range m.Slots {
		sl := &m.Slots[i]
		draining := 0
		for _, g := range sl.Draining {
			if !g.Killed {
				draining++
			}
		}
		if !a.stopping && draining > a.draining {
			w.violated("%s has %d draining generations, max_draining was never more than %d", m.Name, draining, a.draining)
		}
		if m.State() == services.StateBackoff && sl.NextStart.Sub(w.now) > maxDelay {
			w.violated("%s starts again only in %v", m.Name, sl.NextStart.Sub(w.now))
		}
	}
	if m.WantedUp && !a.stopping && m.State() == services.StateStopped && len(a.inbox) == 0 && w.started(a) {
		w.violated("%s is wanted up, and nothing will ever start it", m.Name)
	}
	w.checkParallel()
}

// started tells whether the service was told to come up at all.
func (w *world) started(a *actor) bool { return a.machine.Attempts > 0 && a.machine.Under == nil }

func (w *world) checkParallel() {
	under := 0
	for _, a := range w.actors {
		if r := a.machine.Under; r != nil && r.Begun {
			under++
		}
	}
	if under > w.file.maxParallel {
		w.violated("%d reloads at the same time, max_parallel is %d", under, w.file.maxParallel)
	}
}

// checkHealed: with the faults gone, one HUP brings every service to the newest
// release, answers everything, and leaves nothing to wait for.
func (w *world) checkHealed() {
	if len(w.rollout.requests) > 0 {
		w.violated("%d requests are never answered", len(w.rollout.requests))
	}
	for _, s := range w.parsed.Services {
		a := w.actors[s.Name]
		m := a.machine
		if !m.WantedUp {
			continue
		}
		if m.State() != services.StateRunning || m.Under != nil || len(m.Merged) > 0 {
			w.violated("%s did not recover: %s, reload under way %v, merged %d", s.Name, m.State(), m.Under != nil, len(m.Merged))
		}
		if got := revision(m.Slots[0].Active.Release.Service); got != w.file.revision {
			w.violated("%s runs revision %d, the file is at %d", s.Name, got, w.file.revision)
		}
		stuck := slices.ContainsFunc(m.Slots[0].Draining, func(g *services.Generation) bool {
			return !w.procs[generation{s.Name, g.Number}].fate.unkillable
		})
		if stuck {
			w.violated("%s drains for ever", s.Name)
		}
		if m.Deadline() != services.Never {
			w.violated("%s is idle and yet waits for %v", s.Name, m.Deadline().Sub(w.now))
		}
	}
}

// checkEnded: hupwatch ends within its budget, and nothing that can be killed
// survives it.
func (w *world) checkEnded(limit services.Instant) {
	switch {
	case !w.done:
		w.violated("hupwatch does not end")
	case w.now > limit:
		w.violated("hupwatch ends %v after its time was over", w.now.Sub(limit))
	case len(w.rollout.requests) > 0:
		w.violated("hupwatch ends with %d requests not answered", len(w.rollout.requests))
	}
	for _, p := range w.procs {
		if p.spawned && !p.fate.unkillable && (!p.dead || p.rest) {
			w.violated("generation %d of %s survives hupwatch", p.number, p.service)
		}
	}
}

const maxDelay = 30 * time.Second
