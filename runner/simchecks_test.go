package runner

import (
	"fmt"
	"slices"
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

// machineWatch is what the checks remember of a service.
type machineWatch struct {
	machineAsks
	stopping   bool
	final      bool
	draining   int               // the largest max_draining so far
	drained    int               // so many drain; more than that where a stop added to them
	good       *services.Release // the one last promoted, or rolled back to
	fallback   *services.Release // the one before, while good is on probation
	onTrial    services.Instant  // until then
	rolledBack bool              // and the release rolled back to does not serve yet
	begun      int               // reloads begun since the last request
	restarts   int               // restarts since the last calm run, reload or stop
	lastEnd    services.Instant
	minDelay   time.Duration // the least restart_delay so far
	minMax     time.Duration // the least restart_max_delay so far, and the largest
	maxMax     time.Duration
}

// procWatch is what they remember of a process.
type procWatch struct {
	toldSpawned, toldExit, toldEmpty bool
	ready                            services.Instant
	promoted                         bool
	left                             bool
	abandoned                        bool
	warmup                           time.Duration // it had to stand
	stops, groupStops, kills         int
	stoppedAt                        services.Instant
}

func (p *proc) signalled() bool { return p.stops+p.groupStops+p.kills > 0 }

// before is how a machine was before it was told something.
type before struct {
	incoming int // the attempt
	phase    services.Phase
	deadline services.Instant
	looking  bool // at what it listens on
	spawned  bool
	active   int // the number
	draining int
	leftover bool
	asking   bool
	ending   bool
	begun    bool           // a reload
	passed   syscall.Signal // on, since somebody asked for it
	nothing  bool           // new is in what was resolved, and all who asked want only that
}

// before notes what a machine is about to be told, and how it is.
func (w *world) before(a *actor, in services.Input) before {
	w.heard(a, in)
	m, sl := a.machine, &a.machine.Slots[0]
	was := before{draining: len(sl.Draining), ending: m.Ending != nil}
	was.asking = m.Under != nil && m.Under.Turn == services.TurnAsked
	if g := sl.Incoming; g != nil {
		was.incoming, was.phase, was.deadline, was.spawned = g.Attempt, g.Phase, g.Deadline, g.PID != 0
		was.looking = g.Proof.Asked
	}
	if sl.Active != nil {
		was.active, was.passed = sl.Active.Number, sl.Active.Passed
	}
	if n := len(sl.Draining); n > 0 {
		was.leftover = sl.Draining[n-1].MainGone
	}
	was.begun = m.Under != nil && m.Under.Begun
	if in, ok := in.(services.Resolved); ok {
		was.nothing = was.phase == services.PhaseResolving && in.Attempt == was.incoming && a.nothingNew(in.Release)
	}
	return was
}

func (w *world) heard(a *actor, in services.Input) {
	if a.minMax == 0 {
		a.configured(a.machine.Config)
	}
	switch in := in.(type) {
	case services.Spawned:
		a.procs[in.Generation-1].toldSpawned, a.procs[in.Generation-1].abandoned = true, false
	case services.SpawnFailed:
		a.procs[in.Generation-1].toldEmpty = true
	case services.Execed:
		a.procs[in.Generation-1].ready = w.now
	case services.Exited:
		p := a.procs[in.Generation-1]
		p.toldExit, p.toldEmpty = true, !in.Exit.Rest
	case services.Emptied:
		a.procs[in.Generation-1].toldEmpty = true
	case services.Stop:
		a.stopping, a.final = true, a.final || in.Final
		a.forget()
		a.hears(in.ID, nil)
	case services.Declare:
		if a.stopping && !a.final {
			a.undo()
			a.stopping, a.wanted, a.commanded = false, in.Config.Autostart, false
			if a.wanted {
				a.kept = slices.Clone(a.open)
			}
		}
		a.configured(in.Config)
	case services.Reload:
		a.hears(in.ID, in.Config)
	default:
		a.heardDemand(in)
	}
	a.live = slices.DeleteFunc(a.live, func(p *proc) bool { return p.toldEmpty })
}

func (a *actor) configured(c *config.Service) {
	a.draining = max(a.draining, c.MaxDraining)
	if a.minMax == 0 {
		a.minDelay, a.minMax = c.RestartDelay, c.RestartMaxDelay
	}
	a.minDelay, a.minMax, a.maxMax = min(a.minDelay, c.RestartDelay), min(a.minMax, c.RestartMaxDelay), max(a.maxMax, c.RestartMaxDelay)
}

func (w *world) checkEffect(a *actor, e services.Effect) {
	switch e := e.(type) {
	case services.Resolve:
		w.checkResolve(a, e)
	case services.Signal:
		w.checkSignal(a, e)
	case services.Answer:
		w.checkAnswer(a, e)
	case services.Emit:
		w.checkEvent(a, e.Event)
	case services.Pass:
		w.checkPass(a, e)
	case services.Launch:
		w.checkStart(a)
		living := a.machine.Living()
		if !slices.ContainsFunc(living, func(l services.Living) bool { return l.Generation == e.Generation }) {
			w.violated("generation %d of %s is started before the ledger knows it", e.Generation, a.machine.Name)
		}
	case services.DownForGood:
		if !a.wanted {
			w.violated("%s is said to be down for good, and is wanted down", a.machine.Name)
		}
		if !w.essential[a.machine.Name] || a.machine.State() == services.StateRunning {
			w.violated("%s is said to be down for good, but is essential: %v, %s", a.machine.Name, w.essential[a.machine.Name], a.machine.State())
		}
	}
}

// checkResolve: a crash restart uses the whole release last promoted, and not
// before its time; a reload never uses an old one.
func (w *world) checkResolve(a *actor, e services.Resolve) {
	name, sl := a.machine.Name, &a.machine.Slots[0]
	w.checkStart(a)
	a.restarting, a.kept = false, nil
	if sl.Active != nil && sl.Incoming.Cause != services.CauseReload {
		w.violated("%s is started again, but generation %d serves", name, sl.Active.Number)
	}
	if sl.Incoming.Cause == services.CauseReload {
		if e.Reuse != nil {
			w.violated("%s reloads with an old release, of revision %d", name, revision(e.Reuse.Service))
		}
		return
	}
	switch {
	case a.good == nil && e.Reuse != nil:
		w.violated("%s is started with a release that was never promoted", name)
	case a.good != nil && (e.Reuse == nil || e.Reuse.Dir != a.good.Dir || revision(e.Reuse.Service) != revision(a.good.Service)):
		w.violated("%s is not started again with the whole release last promoted", name)
	}
	if sl.Incoming.Cause != services.CauseRestart {
		return
	}
	if a.restarts++; a.restarts < 2 {
		return
	}
	least := a.minMax
	if shift := a.restarts - 2; shift < 20 {
		least = min(least, a.minDelay<<shift)
	}
	if waited := w.now.Sub(a.lastEnd); waited < least {
		w.violated("%s is started again %v after its end, for the %d. time in a row; it must wait %v", name, waited, a.restarts, least)
	}
}

// checkSignal: no signal to a process that is gone, none twice, and none to a
// generation that serves unless another one has proven itself or the service is
// to stop.
func (w *world) checkSignal(a *actor, e services.Signal) {
	name := a.machine.Name
	if e.Generation < 1 || e.Generation > len(a.procs) || !a.procs[e.Generation-1].toldSpawned {
		w.violated("signal to generation %d of %s, which has no process", e.Generation, name)
	}
	p := a.procs[e.Generation-1]
	if p.left {
		w.violated("signal to generation %d of %s, which was let go of", e.Generation, name)
	}
	if p.toldEmpty || p.toldExit && !e.Group {
		w.violated("signal to generation %d of %s after its end: its pid may be another's", e.Generation, name)
	}
	first := !p.signalled()
	count := &p.stops
	switch {
	case e.Signal == syscall.SIGKILL:
		count = &p.kills
	case e.Group:
		count = &p.groupStops
	}
	*count++
	if *count > 1 {
		w.violated("generation %d of %s is sent %s twice", e.Generation, name, services.SignalName(e.Signal))
	}
	if first {
		p.stoppedAt = w.now
	}
	if !p.promoted || p.toldExit || a.ends() {
		return
	}
	if first && !w.replaced(a, p) {
		w.violated("generation %d of %s is told to end while nothing has taken its place", e.Generation, name)
	}
	if e.Signal == syscall.SIGKILL && w.now < p.stoppedAt.Add(p.release.Service.StopTimeout) {
		w.violated("generation %d of %s is killed before its stop_timeout", e.Generation, name)
	}
}

// replaced tells whether a later generation lives, as far as anybody can know,
// and has done so for its warm-up.
func (w *world) replaced(a *actor, p *proc) bool {
	return slices.ContainsFunc(a.procs[p.number:], func(q *proc) bool { return q.promoted && !q.toldExit && w.warm(q) })
}

func (w *world) warm(p *proc) bool {
	return p.execed != 0 && w.now.Sub(p.execed) >= p.warmup
}

// checkEvent: a warm-up is never shortened, the dead are not promoted, and a
// service that is busy reloads once more for all that was asked meanwhile.
func (w *world) checkEvent(a *actor, e services.Event) {
	name := a.machine.Name
	switch e.Kind {
	case services.KindReloadBegun:
		a.hasBegun(e.Reloads)
		a.restarts = 0
		if a.begun++; a.begun > 1 {
			w.violated("%s reloads %d times for one request", name, a.begun)
		}
	case services.KindReloadEnded:
		a.told = &e
		if e.Result != services.ResultSkipped {
			a.lastEnd = w.now
		}
	case services.KindStartFailed:
		a.lastEnd = w.now
	case services.KindStopped:
		if !a.final { // else what was let go of lives on
			w.checkAllGone(a)
		}
		a.old = 0
	case services.KindAbandoned:
		a.procs[e.Generation-1].abandoned = true
	case services.KindEnded:
		a.lastEnd = w.now
		if w.now.Sub(a.procs[e.Generation-1].ready) >= 10*time.Second {
			a.restarts = 0
		}
	case services.KindRolledBack:
		if a.fallback == nil || w.now >= a.onTrial {
			w.violated("%s is rolled back, and nothing was on probation", name)
		}
		a.good, a.fallback, a.restarts, a.rolledBack = a.fallback, nil, 0, true
	case services.KindLeft:
		w.checkLeft(a, a.procs[e.Generation-1])
	case services.KindPromoted:
		p := a.procs[e.Generation-1]
		p.promoted = true
		a.trial(w.now, e.Cause, p.release)
		a.rolledBack = false
		a.good = p.release
		w.checkProof(a, p)
		if p.toldExit {
			w.violated("generation %d of %s is promoted after its end", e.Generation, name)
		}
		if !w.warm(p) {
			w.violated("generation %d of %s is promoted before its warm-up was over", e.Generation, name)
		}
	}
}

// trial notes what a promotion puts on probation: a new release, as long as
// there is one that stood its own.
func (a *actor) trial(now services.Instant, cause services.Cause, r *services.Release) {
	if cause != services.CauseReload {
		return
	}
	if a.fallback == nil || now >= a.onTrial {
		a.fallback = a.good
	}
	a.onTrial = now.Add(r.Service.Probation)
	if r.Service.Probation == 0 {
		a.fallback = nil
	}
}

// checkProof: where the service opens its address itself, no generation takes the
// place of one that listens unless it does so too.
func (w *world) checkProof(a *actor, p *proc) {
	for _, old := range a.procs[:p.number-1] {
		serves := old.promoted && !old.toldExit && !old.signalled() && old.listens(w.now)
		if serves && a.opensItself && len(p.release.Service.Listen) == 0 && !p.dead && !p.listens(w.now) && old.execed.Add(old.fate.opens) < p.execed {
			w.violated("generation %d of %s is promoted, but does not listen where generation %d does", p.number, p.service, old.number)
		}
	}
}

func (w *world) checkLeft(a *actor, p *proc) {
	p.left = true
	if !w.leaves || !a.final || w.watch.signal == "INT" {
		w.violated("generation %d of %s is let go of, and nobody asked for that", p.number, p.service)
	}
}

// checkLedger: whatever lives is in the ledger before anything else is done, so
// that the next hupwatch knows it wherever this one dies.
func (w *world) checkLedger(a *actor) {
	if len(a.live) == 0 {
		return
	}
	living := a.machine.Living()
	for _, p := range a.live {
		// What was let go of is for others to remember.
		if !p.left && !w.leaves && !slices.ContainsFunc(living, func(l services.Living) bool { return l.Generation == p.number }) {
			w.violated("generation %d of %s lives, but the ledger does not know it", p.number, p.service)
		}
	}
}

// checkMachine holds what became of a machine beside what it was.
func (w *world) checkMachine(a *actor, was before, in services.Input) {
	m := a.machine
	incoming := 0
	for _, p := range a.live {
		if p.toldSpawned && !p.toldExit && !p.promoted && !p.signalled() {
			incoming++
		}
	}
	if incoming > len(m.Slots) {
		w.violated("%s has %d incoming generations", m.Name, incoming)
	}
	if g := m.Slots[0].Incoming; g != nil && g.Phase == services.PhaseWarming {
		a.procs[g.Number-1].ready = g.ReadyAt
	}
	w.checkIncoming(a, was, in)
	w.checkActive(a, was, in)
	for i := range m.Slots {
		w.checkSlot(a, &m.Slots[i])
	}
	if m.WantedUp != a.wanted || m.Commanded != a.commanded {
		w.violated("%s is wanted up %v, asked was %v (by anybody: %v)", m.Name, m.WantedUp, a.wanted, a.commanded)
	}
	if m.WantedUp && !a.ends() && m.State() == services.StateStopped && len(a.inbox) == 0 && m.Attempts > 0 && m.Under == nil {
		w.violated("%s is wanted up, and nothing will ever start it", m.Name)
	}
}

// checkIncoming: an incoming generation is given up for its own failure or for a
// stop, and for nothing else: neither for what is asked nor for what happens to
// the old one.
func (w *world) checkIncoming(a *actor, was before, in services.Input) {
	sl := &a.machine.Slots[0]
	is := func(g *services.Generation) bool { return g != nil && g.Attempt == was.incoming }
	if was.incoming == 0 || a.ends() || is(sl.Incoming) || is(sl.Active) {
		return
	}
	switch in := in.(type) {
	case services.Resolved:
		if was.nothing {
			return
		}
	case services.ResolveFailed:
		if in.Attempt == was.incoming {
			return
		}
	case services.Proved:
		if len(in.Missing) > 0 && was.phase == services.PhaseWarming {
			return
		}
	case services.SpawnFailed:
		if in.Generation == a.machine.Generations {
			return
		}
	case services.Exited:
		if in.Generation == a.machine.Generations {
			return
		}
	}
	if was.deadline <= w.now && (was.phase != services.PhaseWarming || was.looking) {
		return
	}
	w.violated("%s gives up its incoming generation for no reason of its own", a.machine.Name)
}

// checkActive: what serves goes on serving until it ends by itself, something
// better serves, or the service stops. After a calm run its end is followed by a
// start at once.
func (w *world) checkActive(a *actor, was before, in services.Input) {
	sl := &a.machine.Slots[0]
	if was.active == 0 || a.ends() || sl.Active != nil && sl.Active.Number == was.active {
		return
	}
	exit, ok := in.(services.Exited)
	if !ok || exit.Generation != was.active {
		if sl.Active == nil {
			w.violated("%s lets go of generation %d, which serves", a.machine.Name, was.active)
		}
		return
	}
	p := a.procs[was.active-1]
	askedFor := exit.Exit.Signal != 0 && exit.Exit.Signal == was.passed
	if a.fallback != nil && w.now < a.onTrial && !askedFor && p.release.Service.Restart == config.RestartAlways {
		w.violated("%s ends within its probation, and is not rolled back", a.machine.Name)
	}
	calm := w.now.Sub(p.ready) >= 10*time.Second
	if calm && p.release.Service.Restart == config.RestartAlways && sl.Incoming == nil && sl.Active == nil {
		w.violated("%s is not started again at once after a calm run", a.machine.Name)
	}
}

func (w *world) checkSlot(a *actor, sl *services.Slot) {
	m := a.machine
	draining := 0
	for _, g := range sl.Draining {
		if !g.Killed && g.PID != 0 { // what was never there cannot be killed yet
			draining++
		}
	}
	if !a.ends() && draining > max(a.draining, a.drained) {
		w.violated("%s has %d draining generations, max_draining was never more than %d", m.Name, draining, a.draining)
	}
	a.drained = draining
	backoff := m.WantedUp && !a.stopping && sl.Active == nil && sl.Incoming == nil && sl.NextStart != services.Never
	if backoff != (m.State() == services.StateBackoff) {
		w.violated("%s says it is in state %s, its next start is at %v", m.Name, m.State(), sl.NextStart)
	}
	if backoff && sl.NextStart > a.lastEnd.Add(a.maxMax) {
		w.violated("%s starts again only %v after its end", m.Name, sl.NextStart.Sub(a.lastEnd))
	}
	if g := sl.Active; g != nil {
		w.checkOpen(a, g.Release)
	}
	if a.good != nil && m.WantedUp && !a.stopping && !a.rolledBack {
		w.checkOpen(a, a.good)
	}
	w.checkKept(a)
}

// checkOpen: who connects while nothing serves waits in the queue of a socket
// that was never closed.
func (w *world) checkOpen(a *actor, r *services.Release) {
	for _, l := range r.Service.Listen {
		if !slices.Contains(a.open, l) {
			w.violated("%s has closed %s, which its release serves", a.machine.Name, l.Address)
		}
	}
}

// checkHealed: with the faults gone, one HUP brings every service to the newest
// release, answers everything, and leaves nothing to wait for.
func (w *world) checkHealed() {
	if len(w.rollout.requests) > 0 {
		w.violated("%d requests are never answered", len(w.rollout.requests))
	}
	for _, a := range w.list {
		if _, ok := w.parsed.Service(a.machine.Name); !ok {
			w.checkRemoved(a)
		} else if a.wanted {
			w.checkRecovered(a)
		} else {
			w.checkDown(a)
		}
	}
}

func (w *world) checkRecovered(a *actor) {
	m := a.machine
	if m.State() != services.StateRunning || m.Under != nil || len(m.Merged) > 0 {
		w.violated("%s did not recover: %s, reload under way %v, merged %d", m.Name, m.State(), m.Under != nil, len(m.Merged))
	}
	active := m.Slots[0].Active.Release.Service
	if got := revision(active); got != w.file.revision {
		w.violated("%s runs revision %d, the file is at %d", m.Name, got, w.file.revision)
	}
	stuck := slices.ContainsFunc(m.Slots[0].Draining, func(g *services.Generation) bool {
		return !a.procs[g.Number-1].fate.unkillable
	})
	if stuck {
		w.violated("%s drains for ever", m.Name)
	}
	if m.Deadline() != services.Never {
		w.violated("%s is idle and yet waits for %v", m.Name, m.Deadline().Sub(w.now))
	}
	if !slices.Equal(a.open, active.Listen) {
		w.violated("%s keeps %v open, it serves %v", m.Name, a.open, active.Listen)
	}
}

func (w *world) checkRemoved(a *actor) { w.checkGone(a, "was removed from the file") }

func (w *world) checkDown(a *actor) { w.checkGone(a, "is wanted down") }

func (w *world) checkGone(a *actor, why string) {
	for _, p := range a.live {
		if p.spawned && !p.fate.unkillable {
			w.violated("generation %d of %s lives on, though that %s", p.number, p.service, why)
		}
	}
	if len(a.open) > 0 {
		w.violated("%s %s, but listens on %v", a.machine.Name, why, a.open)
	}
}
