package rollout

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
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
	slots      map[int]*slotWatch
	stopping   bool
	final      bool
	over       bool // it said that it has ended
	draining   int  // the largest max_draining so far
	begun      int  // reloads begun since the last request
	reloads    int  // reloads begun so far
	instances  int  // of the reload last begun
	turn       int  // the ticket of the turn it has, or 0
	partial    bool // the reload last begun did not come to its end: some instances may be missing
	made       *release.Release
	signals    bool               // some instances reload themselves
	reused     map[int]bool       // generations that were started with an earlier release
	stood      bool               // it was ready, or not wanted, at some time
	refused    *release.Release   // before the reboot
	instead    bool               // another one is started in its place
	past       []*pastWatch       // of each instance
	observing  int                // the generation whose successor has to do what it is seen to
	settling   []uint64           // requests of which was told that what they did can be taken back
	unborn     []*release.Release // of the incoming generations that had no process yet
	waited     []string           // the addresses on which a generation was seen to wait for connections
	unseen     bool               // it cannot be seen where generations wait, or none did in time
	firstAfter []string           // whom its first start has to wait for
	minDelay   time.Duration
	minMax     time.Duration // the least restart_max_delay so far, and the largest
	maxMax     time.Duration
}

// slotWatch is what they remember of an instance.
type slotWatch struct {
	drained    int              // so many drain; more than max_draining where a stop added to them
	good       *release.Release // the one last promoted, or rolled back to
	rolledBack bool             // and the release rolled back to does not serve yet
	restarts   int              // restarts since the last calm run, reload or stop
	lastEnd    lifecycle.Instant
	done       bool            // good was a task that is done: it is not started again
	rests      bool            // and no other one was since
	rested     bool            // nothing serves, and for some time nothing was to be started
	kept       []config.Listen // open for what runs, or may be started next
}

func (a *actor) slot(i int) *slotWatch {
	if a.slots[i] == nil {
		a.slots[i] = &slotWatch{}
	}
	return a.slots[i]
}

// procWatch is what they remember of a process.
type procWatch struct {
	toldSpawned, toldExit, toldEmpty bool
	mustWait                         []string // where a generation before it was seen to wait for connections
	met                              int      // so many looks met another generation instead of it
	ready                            lifecycle.Instant
	proven                           lifecycle.Instant // when it was first known to be ready
	proof                            lifecycle.Instant // when it was last seen to be
	said                             bool              // that it is
	publishedAt                      lifecycle.Instant // beside an old one
	publishTries                     int               // that failed since the last that did not
	promoted, crashed                bool
	left                             bool
	abandoned                        bool
	warmup                           time.Duration // it had to stand
	stops, groupStops, kills         int
	stoppedAt                        lifecycle.Instant
}

func (p *proc) signalled() bool { return p.stops+p.groupStops+p.kills > 0 }

// before is how a machine was before it was told something.
type before struct {
	slots   []slotBefore
	asking  bool
	ending  bool
	begun   bool // a reload
	due     bool // something is
	running bool
}

// slotBefore is how one of its instances was.
type slotBefore struct {
	incoming     int // the attempt
	number       int
	phase        lifecycle.Phase
	deadline     lifecycle.Instant
	hookDeadline lifecycle.Instant
	looking      bool // at whether it is ready
	onTrial      bool // what serves can be taken back
	way          lifecycle.Way
	late         bool // it is looked at although its time is over
	spawned      bool
	active       int // the number
	draining     []int
	leftover     bool
	passed       syscall.Signal // on, since somebody asked for it
	nothing      bool           // new is in what was resolved, and all who asked want only that
}

// slot is how an instance was, nothing if it was not there.
func (b before) slot(i int) slotBefore {
	if i < len(b.slots) {
		return b.slots[i]
	}
	return slotBefore{}
}

// before notes what a machine is about to be told, and how it is.
func (w *world) before(a *actor, in lifecycle.Input) before {
	w.expirePasts(a)
	w.heard(a, in)
	a.unborn = a.withoutProcess(in)
	m := a.machine
	was := before{ending: m.Stopping != nil, due: m.Deadline() <= w.now, running: m.State() == lifecycle.StateRunning}
	was.asking = m.Current != nil && m.Current.Turn == lifecycle.TurnAsked
	was.begun = m.Current != nil && m.Current.Begun
	for i := range m.Slots {
		was.slots = append(was.slots, w.slotBefore(a, &m.Slots[i], in))
	}
	return was
}

func (w *world) slotBefore(a *actor, sl *lifecycle.Slot, in lifecycle.Input) slotBefore {
	var was slotBefore
	if g := sl.Incoming; g != nil {
		was.incoming, was.number, was.phase, was.deadline, was.spawned = g.Attempt, g.Number, g.Phase, g.Deadline, g.PID != 0
		was.looking, was.way, was.late = g.Proof.Asked, g.Proof.Way, g.Proof.Overdue
		was.hookDeadline = lifecycle.Never
		if g.Hook != nil {
			was.hookDeadline = g.Hook.Deadline
		}
	}
	if sl.Active != nil {
		was.active, was.passed = sl.Active.Number, sl.Active.Passed
		was.onTrial = a.pastOf(sl.Instance).onTrial(w.now)
	}
	for _, g := range sl.Draining {
		was.draining = append(was.draining, g.Number)
	}
	if n := len(sl.Draining); n > 0 {
		was.leftover = sl.Draining[n-1].MainGone
	}
	if in, ok := in.(lifecycle.Resolved); ok {
		was.nothing = was.phase == lifecycle.PhaseResolving && in.Attempt == was.incoming && a.nothingNew(sl, in.Release)
	}
	return was
}

func (w *world) heard(a *actor, in lifecycle.Input) {
	if a.minMax == 0 {
		a.configured(a.machine.Config)
	}
	switch in := in.(type) {
	case lifecycle.Turn:
		if r := a.machine.Current; r != nil && r.Turn == lifecycle.TurnAsked && r.Ticket == in.Ticket {
			a.turn = in.Ticket
		}
	case lifecycle.Spawned:
		a.procs[in.Generation-1].toldSpawned, a.procs[in.Generation-1].abandoned = true, false
	case lifecycle.SpawnFailed:
		a.procs[in.Generation-1].toldEmpty = true
	case lifecycle.Execed:
		p := a.procs[in.Generation-1]
		p.ready = w.now
		if r := p.release.Service.Ready; p.said || r == nil && p.release.Service.Publish == "" {
			p.proven = w.now
		}
	case lifecycle.Notified:
		p := a.procs[in.Generation-1]
		if in.Ready && p.ready != 0 && !p.said {
			p.proven = w.now
		}
		p.said = p.said || in.Ready
	case lifecycle.Proved:
		p := a.procs[in.Generation-1]
		if in.Other {
			p.met++
		}
		a.unseen = a.unseen || in.Unseen != ""
		if in.Failure == "" && len(in.Missing) == 0 {
			_, g := a.find(in.Generation)
			if e := a.proofs[in.Generation]; e.Way == lifecycle.WayWaiting && g != nil && g.Phase != lifecycle.PhaseDraining {
				a.seenToWait(addresses(e.Waits))
			}
			p.proof = w.now
			if p.proven == 0 {
				p.proven = w.now
			}
		}
	case lifecycle.Observed:
		w.heardObserved(a, in)
	case lifecycle.Published:
		p := a.procs[in.Generation-1]
		if sl, g := a.find(in.Generation); in.Failure == "" && g != nil && g == sl.Incoming && sl.Active != nil && p.publishedAt == 0 {
			p.publishedAt = w.now
		}
	case lifecycle.HookDone:
		a.hooks[in.Token].told = true
	case lifecycle.Resolved:
		w.heardResolved(a, in)
	case lifecycle.Exited:
		p := a.procs[in.Generation-1]
		p.toldExit, p.toldEmpty = true, !in.Exit.Rest
	case lifecycle.Emptied:
		a.procs[in.Generation-1].toldEmpty = true
	case lifecycle.Stop:
		a.stopping, a.final = true, a.final || in.Why.Final()
		a.stood = true // nobody waits for it any more
		a.forget(in.Why == lifecycle.StopLeave)
		a.hears(in.ID, nil)
	case lifecycle.Declare:
		if a.stopping && !a.final {
			a.undo()
			a.stopping, a.wanted, a.commanded = false, in.Config.Autostart, false
			if a.wanted {
				a.kept = slices.Clone(a.open)
			}
		}
		a.configured(in.Config)
	case lifecycle.Reload:
		a.hears(in.ID, in.Config)
	default:
		a.heardDemand(in)
	}
	a.live = slices.DeleteFunc(a.live, func(p *proc) bool { return p.toldEmpty })
}

// heardResolved notes what release the reload under way has, and which generations
// get one that was there before.
func (w *world) heardResolved(a *actor, in lifecycle.Resolved) {
	for i := range a.machine.Slots {
		g := a.machine.Slots[i].Incoming
		if g == nil || g.Attempt != in.Attempt || g.Phase != lifecycle.PhaseResolving {
			continue
		}
		if a.reused == nil {
			a.reused = make(map[int]bool)
		}
		a.reused[a.machine.Generations+1] = in.Reused
		if !in.Reused && a.instead { // there is no other one any more
			a.refused = nil
			if past, good := a.pastOf(0), a.slot(0).good; i == 0 && g.Cause == lifecycle.CauseStart && len(past.undone) > 0 && good != nil {
				past.undone = append(slices.Clone(past.undone), good)
			}
		}
		if g.Cause == lifecycle.CauseReload {
			a.made = in.Release
			a.signals = a.signals || in.Release.Service.Reload == config.ReloadSignal
		}
	}
}

func (a *actor) configured(c *config.Service) {
	a.draining = max(a.draining, c.MaxDraining)
	if a.minMax == 0 {
		a.minDelay, a.minMax = c.RestartDelay, c.RestartMaxDelay
	}
	a.minDelay, a.minMax, a.maxMax = min(a.minDelay, c.RestartDelay), min(a.minMax, c.RestartMaxDelay), max(a.maxMax, c.RestartMaxDelay)
}

func (w *world) checkEffect(a *actor, was before, e lifecycle.Effect) {
	switch e := e.(type) {
	case lifecycle.Resolve:
		w.checkResolve(a, e)
	case lifecycle.Signal:
		w.checkSignal(a, was, e)
	case lifecycle.Answer:
		w.checkAnswer(a, e)
	case lifecycle.Emit:
		w.checkEvent(a, was, e.Event)
	case lifecycle.Pass:
		w.checkPass(a, e)
	case lifecycle.ReturnTurn:
		if a.turn == e.Ticket {
			a.turn = 0
		}
	case lifecycle.RunHook:
		w.checkHook(a, e)
	case lifecycle.Publish:
		w.checkPublish(a, e)
	case lifecycle.Prove:
		w.checkProve(a, e)
	case lifecycle.Observe:
		if a.machine.Observing == e.Generation {
			a.observing = e.Generation
		}
	case lifecycle.Amend:
		a.amended(e)
	case lifecycle.Ended:
		a.over = true
	case lifecycle.Launch:
		w.checkStart(a)
		w.checkBoot(a, e)
		w.checkPrepared(a, e)
		w.checkAlone(a, e)
		living := a.machine.Living()
		if !slices.ContainsFunc(living, func(l lifecycle.Place) bool { return l.Generation == e.Generation }) {
			w.violated("generation %d of %s is started before the ledger knows it", e.Generation, a.machine.Name)
		}
	case lifecycle.DownForGood:
		if !a.wanted {
			w.violated("%s is said to be down for good, and is wanted down", a.machine.Name)
		}
		if !w.essential[a.machine.Name] || a.machine.State() == lifecycle.StateRunning {
			w.violated("%s is said to be down for good, but is essential: %v, %s", a.machine.Name, w.essential[a.machine.Name], a.machine.State())
		}
	}
}

// amended notes that what serves does so with another configuration.
func (a *actor) amended(e lifecycle.Amend) {
	for i := range a.machine.Slots {
		sl := &a.machine.Slots[i]
		now := sl.Good // done, if it does not run
		if sl.Active != nil {
			now = sl.Active.Release
		}
		if now == nil || now.Service != e.Config {
			continue
		}
		a.slot(i).good = now
		a.pastOf(i).newest(now)
		if sl.Active != nil {
			a.procs[sl.Active.Number-1].release = now
		}
	}
}

// checkAlone: what cannot live twice does not.
func (w *world) checkAlone(a *actor, e lifecycle.Launch) {
	if e.Release.Service.Reload != config.ReloadStopFirst {
		return
	}
	for _, p := range a.live {
		if p.instance == e.Instance && p.number != e.Generation && !p.toldEmpty && !p.abandoned {
			w.violated("generation %d of %s is started while generation %d lives, and it cannot live twice", e.Generation, a.machine.Name, p.number)
		}
	}
}

// checkShutDown: a socket is shut down for every process only if none lives that could
// still serve it.
func (w *world) checkShutDown(a *actor, e lifecycle.KeepSockets) {
	for _, p := range a.live {
		if e.Alone && !p.toldEmpty && (p.toldSpawned || p.spawned) {
			w.violated("the sockets of %s are shut down while generation %d lives", a.machine.Name, p.number)
		}
	}
}

// resolving returns the generation that a release is made for, and its slot.
func (w *world) resolving(a *actor, attempt int) (*lifecycle.Slot, *lifecycle.Generation) {
	for i := range a.machine.Slots {
		if g := a.machine.Slots[i].Incoming; g != nil && g.Attempt == attempt {
			return &a.machine.Slots[i], g
		}
	}
	w.violated("%s has a release made for nobody", a.machine.Name)
	return nil, nil
}

func same(a, b *release.Release) bool {
	return a != nil && b != nil && a.Dir == b.Dir && revision(a.Service) == revision(b.Service)
}

// checkResolve: a crash restart uses the whole release last promoted, and not
// before its time; a reload never uses an old one, and all instances get the same.
func (w *world) checkResolve(a *actor, e lifecycle.Resolve) {
	name, m := a.machine.Name, a.machine
	sl, g := w.resolving(a, e.Attempt)
	slot := a.slot(sl.Instance)
	w.checkStart(a)
	w.checkTurnOfStart(a)
	a.restarting, a.kept = false, nil
	if sl.Active != nil && g.Cause != lifecycle.CauseReload {
		w.violated("%s is started again, but generation %d serves", name, sl.Active.Number)
	}
	if g.Cause == lifecycle.CauseReload {
		if m.Current.Back && a.made == nil {
			a.made = e.Reuse
		}
		if e.Reuse == nil != (a.made == nil) || e.Reuse != nil && !same(e.Reuse, a.made) {
			w.violated("%s reloads instance %d with another release than the others", name, sl.Instance)
		}
		slot.restarts = 0
		if a.turn == 0 {
			w.violated("%s reloads, and it is not its turn", name)
		}
		return
	}
	good := slot.good
	for i := 0; good == nil && i < len(m.Slots); i++ {
		if good = a.slot(i).good; good != nil && good.Service.Instances <= sl.Instance {
			good = nil
		}
	}
	switch first := m.Slots[0].Incoming; {
	case slot.done && e.Reuse != nil:
		w.violated("%s does a task again that was done", name)
	case slot.done:
	case good == nil && e.Reuse == nil && a.slot(0).good == nil && sl.Instance > 0:
		w.violated("%s makes another release for instance %d than for the first", name, sl.Instance)
	case good == nil && e.Reuse == nil:
	case good == nil && sl.Instance > 0 && first != nil && first.Cause != lifecycle.CauseReload && same(first.Release, e.Reuse):
	case good == nil:
		w.violated("%s is started with a release that was never promoted", name)
	case !same(e.Reuse, good):
		w.violated("%s is not started again with the whole release last promoted", name)
	}
	if g.Cause == lifecycle.CauseStart {
		slot.restarts = 0
	}
	fellBack := m.Current != nil && m.Current.FellBack != "" && &m.Slots[m.Current.Slot] == sl
	if g.Cause != lifecycle.CauseRestart || fellBack {
		return
	}
	if slot.restarts++; slot.restarts < 2 {
		return
	}
	least := a.minMax
	if shift := slot.restarts - 2; shift < 20 {
		least = min(least, a.minDelay<<shift)
	}
	if waited := w.now.Sub(slot.lastEnd); waited < least {
		w.violated("%s is started again %v after its end, for the %d. time in a row; it must wait %v", name, waited, slot.restarts, least)
	}
}

// checkSignal: no signal to a process that is gone, none twice, and none to a
// generation that serves unless another one has proven itself or the service is
// to stop.
func (w *world) checkSignal(a *actor, was before, e lifecycle.Signal) {
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
		w.violated("generation %d of %s is sent %s twice", e.Generation, name, config.SignalName(e.Signal))
	}
	if first {
		p.stoppedAt = w.now
	}
	if !p.promoted || p.toldExit {
		return
	}
	if first && e.Signal != syscall.SIGKILL {
		w.checkBeforeStop(a, p)
	}
	if a.ends() || p.instance >= a.instances && a.instances > 0 || slices.Contains(was.slot(p.instance).draining, p.number) {
		return
	}
	if first && !w.replaced(a, p) && !a.stopsFirst(p.instance) {
		w.violated("generation %d of %s is told to end while nothing has taken its place", e.Generation, name)
	}
	if first && was.slot(p.instance).active == p.number && a.turn == 0 {
		w.violated("generation %d of %s is told to end by a reload that has given its turn back", e.Generation, name)
	}
	if e.Signal == syscall.SIGKILL && w.now < p.stoppedAt.Add(p.release.Service.StopTimeout) {
		w.violated("generation %d of %s is killed before its stop_timeout", e.Generation, name)
	}
}

// replaced reports whether a later generation lives, as far as anybody can know,
// and has done so for its warm-up.
func (w *world) replaced(a *actor, p *proc) bool {
	return slices.ContainsFunc(a.procs[p.number:], func(q *proc) bool {
		return q.instance == p.instance && q.promoted && !q.toldExit && w.warm(q)
	})
}

// stopsFirst reports whether the reload under way has an instance stop before the new
// one starts.
func (a *actor) stopsFirst(instance int) bool {
	if a.machine.Current == nil || a.machine.Current.Slot != instance {
		return false
	}
	g := a.machine.Slots[instance].Incoming
	stops := g != nil && (g.Phase == lifecycle.PhaseWaiting || g.Phase == lifecycle.PhaseStarting)
	return stops && g.Cause == lifecycle.CauseReload && g.Release.Service.Reload == config.ReloadStopFirst
}

func (w *world) warm(p *proc) bool {
	return p.execed != 0 && p.proven != 0 && w.now.Sub(p.proven) >= p.warmup
}

// checkEvent: a warm-up is never shortened, the dead are not promoted, and a
// service that is busy reloads once more for all that was asked meanwhile.
func (w *world) checkEvent(a *actor, was before, e lifecycle.Event) {
	name := a.machine.Name
	slot := a.slot(e.Instance)
	switch e.Kind {
	case lifecycle.KindReloadBegun:
		a.hasBegun(e.Reloads)
		a.reloads++
		a.made, a.signals, a.instances = nil, false, a.machine.Config.Instances
		for _, s := range a.slots {
			s.restarts = 0
		}
		if r := a.machine.Current; r != nil && r.Back { // what was asked beside it is for another one
			break
		}
		if a.begun++; a.begun > 1 {
			w.violated("%s reloads %d times for one request", name, a.begun)
		}
	case lifecycle.KindReloadEnded:
		a.told = &e
		if e.Wait > 0 {
			a.settling = append(a.settling, e.Reloads...)
		}
		switch e.Result {
		case lifecycle.ResultPromoted, lifecycle.ResultStarted, lifecycle.ResultSignalled:
			for i := range a.slots { // there are fewer now
				if i >= a.instances {
					delete(a.slots, i)
				}
			}
		}
		switch e.Result {
		case lifecycle.ResultPartial, lifecycle.ResultFailed, lifecycle.ResultKeptOld, lifecycle.ResultRolledBack:
			a.partial = true
		case lifecycle.ResultPromoted, lifecycle.ResultStarted:
			a.partial = false
		}
		if e.Result != lifecycle.ResultSkipped && e.Cause != "" {
			slot.lastEnd = w.now
		}
	case lifecycle.KindStartFailed:
		slot.lastEnd = w.now
		goesBack := e.Cause == lifecycle.CauseRestart || e.Cause == lifecycle.CauseStart && a.instead
		if past := a.pastOf(e.Instance); len(past.undone) > 0 && goesBack && a.machine.WantedUp && !a.stopping {
			if more, again := past.failed(w.releaseOf(a, e)); !more && again != nil {
				slot.good = again
			}
		}
	case lifecycle.KindStopped:
		if !a.final { // else what was let go of lives on
			w.checkAllGone(a)
		}
		a.old = 0
	case lifecycle.KindAbandoned:
		a.procs[e.Generation-1].abandoned = true
	case lifecycle.KindStopSignalled:
		w.checkRole(a, e)
	case lifecycle.KindEnded, lifecycle.KindDone:
		beside := was.slot(e.Instance).incoming != 0 && was.slot(e.Instance).number != e.Generation
		if p := a.procs[e.Generation-1]; (p.succeeded() && !beside) != (e.Kind == lifecycle.KindDone) {
			w.violated("the end of generation %d of %s is told as %s", e.Generation, name, e.Kind)
		}
		p := a.procs[e.Generation-1]
		p.crashed = true
		if e.Kind == lifecycle.KindDone {
			past := a.pastOf(e.Instance)
			past.undone, past.trial = nil, 0
			past.done(p.release)
			slot.done, slot.rests = true, true
		}
		slot.lastEnd = w.now
		if w.now.Sub(a.procs[e.Generation-1].ready) >= 10*time.Second {
			slot.restarts = 0
		}
	case lifecycle.KindRolledBack:
		w.checkRolledBack(a, e)
	case lifecycle.KindInstead:
		w.checkInstead(a, e)
	case lifecycle.KindSettled:
		a.settling = slices.DeleteFunc(a.settling, func(id uint64) bool { return slices.Contains(e.Reloads, id) })
	case lifecycle.KindLeft:
		w.checkLeft(a, a.procs[e.Generation-1])
	case lifecycle.KindPromoted:
		a.instead, a.refused, slot.done = false, nil, false
		w.checkPromoted(a, was.slot(e.Instance), e)
	}
}

// isDone reports whether a generation ended before its warm-up was over, and was right
// to: nothing served, and its end is a success.
func isDone(p *proc, was slotBefore) bool {
	return p.toldExit && p.succeeded() && !p.end.Rest && was.active == 0
}

// succeeded reports whether a process ended as its service is meant to: it is not started
// again then.
func (p *proc) succeeded() bool {
	return p.dead && isDoneBy(p.release.Service, p.end)
}

// isDoneBy reports whether an end is what a service is there for: it is no server, and
// its restart key says that it is not started again.
func isDoneBy(c *config.Service, exit lifecycle.Exit) bool {
	server := len(c.Listen) > 0 || c.Publish != "" || c.Ready != nil && c.Ready.Kind != config.ReadyWarmup
	return !server && c.Restart != config.RestartAlways && exit.Signal == 0 && exit.Reason == "" && slices.Contains(c.SuccessExitCodes, exit.Code)
}

// checkRole: who hears that a generation is told to end hears what it was.
func (w *world) checkRole(a *actor, e lifecycle.Event) {
	p, want := a.procs[e.Generation-1], lifecycle.RoleIncoming
	switch {
	case p.crashed:
		want = lifecycle.RoleActive
	case p.promoted, a.machine.Stopping != nil:
		want = lifecycle.RoleOld
	case e.Instance >= max(1, a.machine.Config.Instances): // there are fewer now
		return
	}
	if e.Role != want {
		w.violated("generation %d of %s is told to end, and told of as %s, want %s", e.Generation, a.machine.Name, e.Role, want)
	}
}

// checkPromoted: what takes over lives, has proven itself, and has done so for its
// warm-up.
func (w *world) checkPromoted(a *actor, was slotBefore, e lifecycle.Event) {
	name, p, slot := a.machine.Name, a.procs[e.Generation-1], a.slot(e.Instance)
	p.promoted = true
	var old *release.Release
	if was.active != 0 && a.procs[was.active-1].promoted && w.livesOn(a, was.active) {
		old = a.procs[was.active-1].release
	}
	a.pastOf(e.Instance).promoted(w.now, e.Cause, e.Reloads, p.release, old)
	slot.rolledBack = false
	slot.good = p.release
	w.checkProof(a, p, was.active)
	w.checkWaits(a, p)
	w.checkOverlap(a, p, was)
	if isDone(p, was) {
		return
	}
	if p.toldExit || p.dead {
		w.violated("generation %d of %s is promoted after its end", e.Generation, name)
	}
	if !w.warm(p) {
		w.violated("generation %d of %s is promoted before its warm-up was over", e.Generation, name)
	}
	polled := p.release.Service.Publish != "" || len(p.mustWait) > 0 && !p.fate.unseen
	if r := p.release.Service.Ready; r != nil {
		polled = r.Kind != config.ReadyNotify && r.Kind != config.ReadyFD && r.Kind != config.ReadyWarmup
	}
	if polled && p.proof < p.proven.Add(p.warmup) {
		w.violated("generation %d of %s is promoted, and nobody looked whether it was ready at the end of its warm-up", e.Generation, name)
	}
}

// checkProof: where the service opens its address itself, no generation takes the
// place of one that listens unless it does so too.
func (w *world) checkProof(a *actor, p *proc, active int) {
	c := p.release.Service
	if !a.opensItself || len(c.Listen) > 0 || c.Ready != nil || c.Publish != "" || active == 0 {
		return
	}
	old := a.procs[active-1]
	serves := !old.toldExit && old.listens(w.now)
	if serves && !p.dead && !p.listens(w.now) && old.execed.Add(old.fate.opens) < p.execed {
		w.violated("generation %d of %s is promoted, but does not listen where generation %d does", p.number, p.service, old.number)
	}
}

// checkWaits: no generation takes over that does not wait for connections where one
// before it was seen to.
func (w *world) checkWaits(a *actor, p *proc) {
	if len(p.mustWait) > 0 && !p.dead && !p.fate.unseen && !p.didWait(w.now, p.mustWait) {
		w.violated("generation %d of %s is promoted, and has never waited for connections, as one before it did on %v", p.number, p.service, p.mustWait)
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
		if !p.left && !w.leaves && !slices.ContainsFunc(living, func(l lifecycle.Place) bool { return l.Generation == p.number }) {
			w.violated("generation %d of %s lives, but the ledger does not know it", p.number, p.service)
		}
	}
}

// checkMachine holds what became of a machine beside what it was.
func (w *world) checkMachine(a *actor, was before, in lifecycle.Input, effects []lifecycle.Effect) {
	m := a.machine
	for i := range m.Slots {
		w.checkIncoming(a, i, was.slot(i), in)
		w.checkActive(a, i, was.slot(i), in)
		w.checkSlot(a, &m.Slots[i])
	}
	for i := len(m.Slots); i < len(was.slots); i++ {
		if !w.leaves && (was.slots[i].active != 0 || len(was.slots[i].draining) > 1) {
			w.violated("%s forgets instance %d, which lives", m.Name, i)
		}
	}
	if n := len(a.machine.Slots); len(a.past) > n {
		a.past = a.past[:n]
	}
	w.checkSettled(a)
	w.checkKnown(a, was)
	w.checkWrittenDown(a)
	w.checkState(a)
	w.checkKept(a)
	w.checkGuard(a, slices.ContainsFunc(effects, func(e lifecycle.Effect) bool { g, ok := e.(lifecycle.Guard); return ok && len(g.Kept) > 0 }))
	w.checkPublic(a)
	if m.WantedUp != a.wanted || m.Commanded != a.commanded {
		w.violated("%s is wanted up %v, asked was %v (by anybody: %v)", m.Name, m.WantedUp, a.wanted, a.commanded)
	}
	if m.WantedUp && !a.ends() && m.State() == lifecycle.StateStopped && len(a.inbox) == 0 && m.Attempts > 0 && m.Current == nil {
		w.violated("%s is wanted up, and nothing will ever start it", m.Name)
	}
}

// checkState: the state says what is going to happen.
func (w *world) checkState(a *actor) {
	m := a.machine
	backoff, resting := false, false
	for i := range m.Slots {
		sl := &m.Slots[i]
		down := sl.Active == nil && sl.Incoming == nil
		backoff = backoff || down && sl.NextStart != lifecycle.Never && sl.Resting == ""
		resting = resting || down && sl.Resting == lifecycle.StateFailed
	}
	if m.State() == lifecycle.StateWaiting {
		if len(m.Awaits) == 0 {
			w.violated("%s waits for nobody", m.Name)
		}
		return
	}
	backoff = backoff && m.WantedUp && !a.stopping
	if (backoff && !resting) != (m.State() == lifecycle.StateBackoff) {
		w.violated("%s says it is in state %s, a next start is due: %v", m.Name, m.State(), backoff)
	}
}

// gaveUp reports whether an incoming generation had a reason of its own to be given
// up.
func (a *actor) gaveUp(was slotBefore, in lifecycle.Input) bool {
	switch in := in.(type) {
	case lifecycle.Resolved:
		return was.nothing || in.Attempt == was.incoming && a.refused != nil && a.reloads == 0 && in.Release.Same(a.refused)
	case lifecycle.ResolveFailed:
		return in.Attempt == was.incoming
	case lifecycle.HookDone:
		return in.Failure != "" && was.phase == lifecycle.PhasePreparing
	case lifecycle.Proved:
		certain := was.way == lifecycle.WayListening || was.way == lifecycle.WayProbe && !in.Other && !in.Late
		return in.Generation == was.number && (was.late || was.phase == lifecycle.PhaseWarming && certain) && (len(in.Missing) > 0 || in.Failure != "")
	case lifecycle.Notified:
		return in.Generation == was.number && (in.Failure != "" || in.Stopping)
	case lifecycle.Published:
		return in.Generation == was.number && in.Failure != ""
	case lifecycle.SpawnFailed:
		return in.Generation == was.number
	case lifecycle.Exited:
		return in.Generation == was.number
	}
	return false
}

// checkIncoming: an incoming generation is given up for its own failure or for a
// stop, and for nothing else: neither for what is asked nor for what happens to
// the old one.
func (w *world) checkIncoming(a *actor, i int, was slotBefore, in lifecycle.Input) {
	sl := &a.machine.Slots[i]
	is := func(g *lifecycle.Generation) bool { return g != nil && g.Attempt == was.incoming }
	if was.incoming == 0 || a.ends() || is(sl.Incoming) || is(sl.Active) || a.gaveUp(was, in) {
		return
	}
	switch {
	case was.deadline <= w.now && was.overdue(), was.hookDeadline <= w.now:
		return
	case sl.Active != nil && sl.Active.Passed != 0 && (was.phase == lifecycle.PhaseResolving || was.phase == lifecycle.PhasePreparing): // it reloads itself
		return
	case i >= a.instances && a.instances > 0:
		return
	}
	w.violated("%s gives up its incoming generation for no reason of its own", a.machine.Name)
}

// overdue reports whether a generation may be given up once its deadline has passed:
// one that is looked at, only if a look was under way after that.
func (was slotBefore) overdue() bool {
	switch was.phase {
	case lifecycle.PhaseWarming:
		return was.looking && was.late
	case lifecycle.PhaseProving:
		return was.way == lifecycle.WayNone || was.late
	}
	return true
}

// checkActive: what serves goes on serving until it ends by itself, something
// better serves, or the service stops. After a calm run its end is followed by a
// start at once.
func (w *world) checkActive(a *actor, i int, was slotBefore, in lifecycle.Input) {
	sl, slot := &a.machine.Slots[i], a.slot(i)
	if was.active == 0 || a.ends() || sl.Active != nil && sl.Active.Number == was.active {
		return
	}
	exit, ok := in.(lifecycle.Exited)
	if !ok || exit.Generation != was.active {
		if sl.Active == nil && !a.stopsFirst(i) && (i < a.instances || a.instances == 0) {
			w.violated("%s lets go of generation %d, which serves", a.machine.Name, was.active)
		}
		if old := a.procs[was.active-1].release; sl.Active == nil && sl.Incoming != nil {
			a.pastOf(i).replaced(w.now, old, sl.Incoming.Release)
		} else if sl.Active == nil {
			a.pastOf(i).well(old)
		}
		return
	}
	p := a.procs[was.active-1]
	askedFor := exit.Exit.Signal != 0 && exit.Exit.Signal == was.passed
	if was.onTrial && !askedFor && p.release.Service.Restart == config.RestartAlways && !slot.rolledBack {
		if more, again := a.pastOf(i).failed(p.release); more {
			w.violated("%s ends within its probation, and is not rolled back", a.machine.Name)
		} else if again != nil {
			slot.good = again
		}
	}
	calm := w.now.Sub(p.ready) >= 10*time.Second
	if calm && p.release.Service.Restart == config.RestartAlways && sl.Incoming == nil && sl.Active == nil {
		w.violated("%s is not started again at once after a calm run", a.machine.Name)
	}
}

func (w *world) checkSlot(a *actor, sl *lifecycle.Slot) {
	m, slot := a.machine, a.slot(sl.Instance)
	if g := sl.Incoming; g != nil && g.Phase == lifecycle.PhaseWarming {
		a.procs[g.Number-1].ready = g.ReadyAt
	}
	incoming := 0
	for _, p := range a.live {
		if p.instance == sl.Instance && p.toldSpawned && !p.toldExit && !p.promoted && !p.signalled() {
			incoming++
		}
	}
	if incoming > 1 {
		w.violated("%s has %d incoming generations", m.Name, incoming)
	}
	draining := 0
	for _, g := range sl.Draining {
		if !g.Killed && g.PID != 0 { // what was never there cannot be killed yet
			draining++
		}
	}
	few := a.instances > 0 && sl.Instance >= a.instances
	if !a.ends() && !few && draining > max(a.draining, slot.drained) {
		w.violated("%s has %d draining generations, max_draining was never more than %d", m.Name, draining, a.draining)
	}
	slot.drained = draining
	backoff := m.WantedUp && !a.stopping && sl.Active == nil && sl.Incoming == nil && sl.NextStart != lifecycle.Never && m.State() != lifecycle.StateWaiting
	if backoff && sl.NextStart > slot.lastEnd.Add(a.maxMax) && sl.NextStart > w.now {
		w.violated("%s starts again only %v after its end", m.Name, sl.NextStart.Sub(slot.lastEnd))
	}
	idle := sl.Active == nil && sl.Incoming == nil && sl.NextStart == lifecycle.Never && sl.Resting == ""
	if idle && !few && (sl.Instance == 0 || a.slot(0).good != nil && !a.partial) && m.WantedUp && !a.ends() && m.Current == nil && m.Attempts > 0 && len(a.inbox) == 0 {
		w.violated("instance %d of %s is down, and nothing will ever start it", sl.Instance, m.Name)
	}
	if g := sl.Active; g != nil {
		w.checkOpen(a, g.Release)
	}
	slot.rested = sl.Active == nil && (slot.rested || sl.Resting != "")
	if slot.good != nil && m.WantedUp && !a.stopping && !slot.rolledBack && !few && !slot.rested {
		w.checkOpen(a, slot.good)
	}
	w.checkKeptForNext(a, sl)
}

// checkKeptForNext: a socket that is open for what runs, or for what may be started next
// without being asked, is not closed as long as the latter needs it: its queue is not
// lost, and nobody can take its address.
func (w *world) checkKeptForNext(a *actor, sl *lifecycle.Slot) {
	m, slot := a.machine, a.slot(sl.Instance)
	var next []config.Listen
	switch back := goesBackTo(sl); {
	case !m.WantedUp || a.stopping || m.Stopping != nil || sl.Resting != "":
	case back != nil:
		next = back.Service.Listen
	case sl.Active == nil && sl.Incoming == nil && sl.NextStart != lifecycle.Never && sl.Good == nil:
		next = m.Config.Listen
	}
	isOpen := func(l config.Listen) bool { return slices.Contains(a.open, l) }
	for _, l := range next {
		if slices.Contains(slot.kept, l) && !isOpen(l) {
			w.violated("%s has closed %s, which it may be started with next", m.Name, l.Address)
		}
	}
	slot.kept = slices.Clone(next)
	for _, g := range []*lifecycle.Generation{sl.Incoming, sl.Active} {
		if g != nil && g.PID != 0 {
			slot.kept = append(slot.kept, g.Release.Service.Listen...)
		}
	}
	slot.kept = slices.DeleteFunc(slot.kept, func(l config.Listen) bool { return !isOpen(l) })
}

// checkOpen: who connects while nothing serves waits in the queue of a socket
// that was never closed.
func (w *world) checkOpen(a *actor, r *release.Release) {
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
	if m.State() != lifecycle.StateRunning || m.Current != nil || m.Next != nil {
		w.violated("%s did not recover: %s, reload under way %v, next %v", m.Name, m.State(), m.Current != nil, m.Next != nil)
	}
	c, _ := w.parsed.Service(m.Name)
	serve := 0
	var listen []config.Listen
	for i := range m.Slots {
		sl := &m.Slots[i]
		w.checkDrained(a, sl)
		if sl.Active == nil {
			continue
		}
		serve++
		active := sl.Active.Release.Service
		listen = active.Listen
		if got := revision(active); got != w.file.revision && c.Reload != config.ReloadSignal {
			w.violated("%s runs revision %d, the file is at %d", m.Name, got, w.file.revision)
		}
	}
	if serve != c.Instances {
		w.violated("%d instances of %s serve, the file has %d", serve, m.Name, c.Instances)
	}
	if m.Deadline() != lifecycle.Never {
		w.violated("%s is idle and yet waits for %v", m.Name, m.Deadline().Sub(w.now))
	}
	if !slices.Equal(a.open, listen) && c.Reload != config.ReloadSignal {
		w.violated("%s keeps %v open, it serves %v", m.Name, a.open, listen)
	}
	if c.Reload == config.ReloadSignal {
		return
	}
	if c.Publish == "" {
		w.forgetUnkillable(a)
	}
	if leads := a.public[c.Publish]; c.Publish != "" && leads != m.Slots[0].Active.Number || c.Publish == "" && len(a.public) > 0 {
		w.violated("the public path of %s leads to generation %d", m.Name, leads)
	}
}

func (w *world) checkDrained(a *actor, sl *lifecycle.Slot) {
	stuck := slices.ContainsFunc(sl.Draining, func(g *lifecycle.Generation) bool {
		return !a.procs[g.Number-1].fate.unkillable
	})
	if stuck {
		w.violated("%s drains for ever", a.machine.Name)
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
	w.forgetUnkillable(a)
	if len(a.open) > 0 || len(a.public) > 0 {
		w.violated("%s %s, but listens on %v %v", a.machine.Name, why, a.open, a.public)
	}
}

// forgetUnkillable forgets what the public paths lead to that does not even die of
// KILL: that may keep its own.
func (w *world) forgetUnkillable(a *actor) {
	maps.DeleteFunc(a.public, func(_ string, generation int) bool { return a.procs[generation-1].fate.unkillable })
}

// livesOn reports whether a generation had not ended, as far as the machine knows.
func (w *world) livesOn(a *actor, number int) bool { return !a.procs[number-1].toldExit }

// withoutProcess returns the releases of what has no process yet, nil for an instance
// where there is no such thing.
func (a *actor) withoutProcess(in lifecycle.Input) []*release.Release {
	releases := make([]*release.Release, len(a.machine.Slots))
	for i := range a.machine.Slots {
		g := a.machine.Slots[i].Incoming
		resolved, ok := in.(lifecycle.Resolved)
		switch {
		case g == nil || g.PID != 0:
		case ok && g.Attempt == resolved.Attempt && g.Phase == lifecycle.PhaseResolving:
			releases[i] = resolved.Release
		default:
			releases[i] = g.Release
		}
	}
	return releases
}
