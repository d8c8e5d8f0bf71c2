package lifecycle

import (
	"hupwatch/config"
)

// Machine is what happens to one service, as plain data: Step is the only thing
// that changes it, and it survives a round trip through JSON in any phase. It
// does nothing itself.
type Machine struct {
	Name string
	// Config is what the file says now. Processes that run were started with the
	// configuration in their Release.
	Config *config.Service
	// WantedUp is what autostart says, until somebody asks for something else: then
	// Commanded is set.
	WantedUp  bool
	Commanded bool
	Slots     []Slot
	// Entered is the state that the service came into at Since.
	Since   Instant
	Entered State

	// Current is the reload under way, or waiting to begin; nil if there is none. Next
	// is the one after it, for the requests that came since Current began.
	Current, Next *Reloading

	// Stopping is the stop under way, or the last one of a service that stays down.
	Stopping *Stopping

	// ToldDownForGood is set once DownForGood was given.
	ToldDownForGood bool

	// Awaits are the services that must be ready before this one is started. Failed are
	// those of them that will not be without help.
	Awaits, Failed []string
	// Waiting is what is known of the processes that wait on the sockets of listen.
	// Observing is the generation that is observed before the reload under way goes on,
	// or 0.
	Waiting   Waiting
	Observing int
	// Refused is the last release that failed. Instead is why another release than the
	// configured one was started; empty if none was.
	Refused *Refusal
	Instead string
	// Booting is set from the start of hupwatch until a release is promoted, a reload
	// begins, or a stop comes.
	Booting bool
	// Settling are the requests whose release can still be rolled back.
	Settling []uint64
	// ToldReady and ToldFailed are what the services that depend on this one were told
	// last.
	ToldReady, ToldFailed bool
	// Guarded is set while the paths of its sockets are watched.
	Guarded bool
	// After are the after_reload commands that are running.
	After []Hook

	Hooks       int // the token last given
	Generations int // the number last given
	Attempts    int // the attempt last made
	Restarts    int // the starts that nobody asked for
	Tickets     int // the turn last asked for
}

// NewMachine returns the machine of a service that has no process. Known is what an
// earlier hupwatch has written down about it.
func NewMachine(c *config.Service, known Record) *Machine {
	return &Machine{
		Name:     c.Name,
		Config:   c,
		WantedUp: c.Autostart,
		Entered:  StateStopped,
		Slots:    []Slot{{Backoff: Backoff{NextStart: Never}, History: known.History}},
		Refused:  known.Refused,
		Waiting:  known.Waiting,
	}
}

// Step tells the machine what happened and returns what is to be done, in that order.
// Time must not run backwards from one call to the next.
func (m *Machine) Step(now Instant, in Input) []Effect {
	s := &step{Machine: m, now: now}
	if _, tick := in.(Tick); tick {
		s.warmed = m.Warming(now)
	}
	for i := range m.Slots { // before the input, which may begin to take something else back
		s.endProbation(&m.Slots[i])
	}
	s.take(in)
	s.settle()
	s.settleSockets()
	if s.keep {
		s.do(Remember{m.record()})
	}
	if state := m.State(); state != m.Entered {
		m.Entered, m.Since = state, now
	}
	return s.effects
}

// Deadline is when the machine wants the next Tick; Never if it only waits for other
// inputs.
func (m *Machine) Deadline() Instant {
	next := Never
	for i := range m.Slots {
		next = min(next, m.Slots[i].deadline(m.startable() && !m.held()))
	}
	for _, h := range m.After {
		next = min(next, h.Deadline)
	}
	if m.Current != nil && m.Current.Watching == WatchAlive {
		next = min(next, m.Current.WatchedUntil)
	}
	return next
}

// Warming returns the generation that a Tick at this moment would take further, or whose
// reload by a signal it would end; 0 for none. The caller must make sure that its
// process is alive before it gives that Tick.
func (m *Machine) Warming(now Instant) int {
	if r := m.Current; r != nil && r.Watching == WatchAlive && r.WatchedUntil <= now {
		return m.Slots[r.Slot].Active.Number
	}
	for i := range m.Slots {
		sl := &m.Slots[i]
		g := sl.Incoming
		if g == nil || g.Deadline > now {
			continue
		}
		switch {
		case g.Phase == PhaseOverlapping, g.Phase == PhaseHandover, g.Phase == PhaseWarming && m.proven(sl):
			return g.Number
		}
	}
	return 0
}

// startable reports whether generations may be started.
func (m *Machine) startable() bool {
	return m.WantedUp && m.Stopping == nil
}

// living counts the generations of all slots, incoming ones included.
func (m *Machine) living() int {
	n := 0
	for i := range m.Slots {
		n += len(m.Slots[i].generations())
	}
	return n
}

// needs are the configurations whose addresses are still needed: those that may be
// started next, and those that run. A generation that drains has its sockets already,
// but not the path at which it may be published.
func (m *Machine) needs(drains bool) []*config.Service {
	var all []*config.Service
	if m.comes() {
		all = append(all, m.Config)
	}
	for i := range m.Slots {
		sl := &m.Slots[i]
		all = append(all, m.startsNext(sl)...)
		for _, g := range sl.generations() {
			if g.Release != nil && (drains || g.Phase != PhaseDraining || g.PID == 0) {
				all = append(all, g.service())
			}
		}
	}
	return all
}

// startsNext are the configurations that a slot may be started with next without being
// asked: after a crash, at the end of a pause, and by a roll back.
func (m *Machine) startsNext(sl *Slot) []*config.Service {
	var all []*config.Service
	switch {
	case m.Stopping != nil, sl.Resting != "":
		return nil
	case sl.Good != nil:
		all = append(all, sl.Good.Service)
	case m.WantedUp && sl.NextStart != Never:
		all = append(all, m.Config)
	}
	if sl.Probation.State == ProbationOn && sl.Active != nil {
		if before := sl.before(sl.Active.Release); before != nil {
			all = append(all, before.Service)
		}
	}
	return all
}

// listens is every address whose socket is still needed.
func (m *Machine) listens() []config.Listen {
	var all []config.Listen
	for _, c := range m.needs(false) {
		all = append(all, c.Listen...)
	}
	return all
}

// comes reports whether the service is going to be started because somebody asked for
// it. Clients that connect until then wait.
func (m *Machine) comes() bool {
	if m.Stopping != nil {
		return len(m.Stopping.Again) > 0
	}
	return m.Current != nil && !m.Current.Begun
}

// step is one call of Step.
type step struct {
	*Machine
	now     Instant
	warmed  int  // the generation that it may take further: its process lives
	keep    bool // what is to be remembered has changed
	effects []Effect
}

func (s *step) do(e Effect) { s.effects = append(s.effects, e) }

func (s *step) emit(sl *Slot, g *Generation, e Event) {
	e.Service = s.Name
	if sl != nil {
		e.Instance = sl.Instance
	}
	if g != nil {
		e.Generation, e.PID, e.Role, e.Cause = g.Number, g.PID, g.Role, g.Cause
		if g.Release != nil && e.Release == "" {
			e.Release = g.Release.Dir
		}
	}
	switch {
	case e.Reloads != nil:
	case g != nil: // not the one under way, if another one stopped it
		e.Reloads = g.Reloads
	case s.Current != nil:
		e.Reloads = s.Current.IDs
	}
	s.do(Emit{Event: e, WithTail: e.isOfFailure(), Forget: e.Kind == KindStopped && s.Stopping != nil && !s.Stopping.Why.asked()})
}

func (s *step) take(in Input) {
	switch in := in.(type) {
	case Declare:
		s.declare(in.Config)
	case Start:
		s.start(in)
	case Up:
		s.triesAgain()
		s.up(in)
	case Down:
		s.down(in)
	case Restart:
		s.triesAgain()
		s.restart(in)
	case Forward:
		s.forward(in)
	case RollBack:
		s.rollBackTo(in)
	case Reload:
		s.triesAgain()
		s.reload(in)
	case Turn:
		s.turn(in)
	case Stop:
		s.stop(in)
	case Kill:
		s.killAll()
	case Resolved:
		s.resolved(in)
	case ResolveFailed:
		s.resolveFailed(in)
	case Spawned:
		s.spawned(in)
	case SpawnFailed:
		s.spawnFailed(in)
	case Execed:
		s.execed(in)
	case Await:
		s.await(in)
	case Proved:
		s.proved(in)
	case Observed:
		s.observed(in)
	case Notified:
		s.notified(in)
	case HookDone:
		s.hookDone(in)
	case Published:
		s.published(in)
	case Exited:
		s.exited(in)
	case Emptied:
		s.emptied(in)
	case Tick:
	}
}

// settle does what is due after any input: deadlines, restarts, the reload that may
// begin, the stop that is done.
func (s *step) settle() {
	s.observeNoMore()
	for i := range s.Slots {
		s.expire(&s.Slots[i])
	}
	s.afterExpired()
	s.watched()
	s.follow()
	s.goOn()
	s.begin()
	for i := range s.Slots {
		s.restartDue(&s.Slots[i])
		s.downForGood(&s.Slots[i])
	}
	s.finishEnding()
	s.settled()
	s.trim()
	s.unguard()
	s.tellDependents()
}

func (s *step) declare(c *config.Service) {
	s.Config = c
	if !s.removed() {
		return
	}
	// It is in the file again. Generations that drain are left alone.
	s.answerEnding(ResultAborted, "the service is in the file again")
	s.Stopping = nil
	s.WantedUp, s.Commanded = c.Autostart, false
	if !s.WantedUp {
		s.keepSockets()
	}
}

func (s *step) start(in Start) {
	s.Booting = true
	if in.Wanted != "" {
		s.WantedUp, s.Commanded = in.Wanted == WantedUp, true
	}
	if !s.startable() {
		return
	}
	if sl := &s.Slots[0]; sl.Active == nil && sl.Incoming == nil {
		sl.Backoff.clear()
		sl.NextStart = s.now
		sl.NextCause = CauseStart
	}
}

// find returns the generation of that number and its slot, or nil.
func (m *Machine) find(number int) (*Slot, *Generation) {
	for i := range m.Slots {
		for _, g := range m.Slots[i].generations() {
			if g.Number == number && number != 0 {
				return &m.Slots[i], g
			}
		}
	}
	return nil, nil
}

// Place is one generation, its instance, and how far it has come.
type Place struct {
	Generation, Instance int
	Phase                Phase
}

// Living lists the generations that have a process or are about to get one.
func (m *Machine) Living() []Place {
	var living []Place
	for i := range m.Slots {
		sl := &m.Slots[i]
		for _, g := range sl.generations() {
			if g.Number > 0 {
				living = append(living, Place{Generation: g.Number, Instance: sl.Instance, Phase: g.Phase})
			}
		}
	}
	return living
}

// PIDs returns the main processes of every generation.
func (m *Machine) PIDs() []int {
	var pids []int
	for i := range m.Slots {
		for _, g := range m.Slots[i].generations() {
			if g.PID != 0 {
				pids = append(pids, g.PID)
			}
		}
	}
	return pids
}
