package rollout

import (
	"slices"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// rolloutWatch is what the checks remember of the rollout.
type rolloutWatch struct {
	hups, hupsRead, hupsServed int // so many came; when the read began; when one was acted on
	readsSinceHup              int
	reads                      int // begun so far
	reading                    bool
	asks, asksTaken, asksHeard int // of name files, likewise
	claiming                   bool
	claims                     [][]string         // taken, and not acted on yet
	clients                    map[uint64]waiting // by their tokens: those not told yet what becomes of it
	answers                    map[uint64]int     // of each request: so many are still to come
	lastID                     uint64
	stopped                    map[string]bool
	ending                     bool
	killed                     bool   // at once
	signal                     string // that it ends for
}

// waiting is a client that asked after so many reads had begun.
type waiting struct {
	Demand
	reads int
}

func newRolloutWatch() rolloutWatch {
	return rolloutWatch{clients: make(map[uint64]waiting), answers: make(map[uint64]int), stopped: make(map[string]bool)}
}

func (w *world) beforeRollout(in Input) {
	v := &w.watch
	switch in := in.(type) {
	case Hangup:
		v.hups++
		v.readsSinceHup = 0
	case Asked:
		v.clients[in.Token] = waiting{in.Demand, v.reads}
	case NamesAsked:
		v.asks++
	case NamesClaimed:
		v.claiming, v.asksHeard = false, v.asksTaken
		if in.Err == nil {
			v.claims = append(v.claims, in.Names)
		}
	case ConfigRead:
		v.reading = false
	case Answered:
		for _, id := range in.Answer.IDs {
			v.answers[id]--
		}
	case Stop:
		if !w.rollout.ending {
			v.signal = in.Signal
		}
	case Kill:
		v.killed = true
		w.endBy = min(w.endBy, w.patience(0))
	}
}

// checkRollout holds what the rollout wants beside what it was told.
func (w *world) checkRollout(in Input, effects []Effect) {
	v := &w.watch
	w.checkVerdicts(in, effects)
	for _, e := range effects {
		switch e := e.(type) {
		case ReadConfig:
			if v.reading {
				w.violated("the file is read twice at the same time")
			}
			v.reads++
			v.reading, v.hupsRead = true, v.hups
		case ClaimNames:
			if v.claiming {
				w.violated("the name file is claimed twice at the same time")
			}
			v.claiming, v.asksTaken = true, v.asks
		case Tell:
			w.checkTell(e)
		case Emit:
			if e.Event.Kind == lifecycle.KindTrouble && e.Event.Service != "" {
				w.violated("%s %s", e.Event.Service, e.Event.Reason)
			}
		}
	}
	if in, ok := in.(Answered); ok {
		w.checkAnswered(in, effects)
	}
	if !v.ending && w.rollout.ending {
		v.ending = true
		// Those that others depend on end after those; none dies before its KILL.
		perTurn := 2*maxStopTimeout + 6*time.Second
		var inTurn, lastKills time.Duration
		for range depth(w.rollout.Config) {
			inTurn += perTurn
			lastKills += 6 * time.Second
		}
		w.endBy = min(w.endBy, w.patience(inTurn), w.patience(w.rollout.Config.Daemon.ShutdownTimeout).Add(lastKills))
	}
}

// checkAnswered: the world hears of every answer, once; and of the end of a
// request with the last of its answers.
func (w *world) checkAnswered(in Answered, effects []Effect) {
	v := &w.watch
	told := 0
	if in.Answer.Told {
		told++
	}
	for _, e := range effects {
		if e, ok := e.(Emit); ok && e.Event.Kind == lifecycle.KindAnswered {
			told++
		}
	}
	if told != 1 && !w.rollout.ending {
		w.violated("the world hears %d times what %s answers to %v", told, in.Service, in.Answer.IDs)
	}
	for _, id := range in.Answer.IDs {
		if left, ok := v.answers[id]; ok && left <= 0 {
			w.violated("request %d has all its answers, and is not done", id)
		}
	}
}

// requestDone notes that a request is said to be done.
func (w *world) requestDone(id uint64) {
	if left, ok := w.watch.answers[id]; !ok || left != 0 {
		w.violated("request %d is said to be done, it lacks %d answers", id, left)
	}
	delete(w.watch.answers, id)
}

func (w *world) checkTell(e Tell) {
	switch e.Input.(type) {
	case lifecycle.Turn:
		if n, most := len(w.rollout.held), w.rollout.Config.Daemon.MaxParallel; n > most {
			w.violated("%d reloads at the same time, max_parallel is %d", n, most)
		}
	case lifecycle.Down:
		w.checkDownTurn(e)
	case lifecycle.Stop:
		w.checkStopTurn(e)
		w.watch.stopped[e.Service] = true
	case lifecycle.Declare:
		w.watch.stopped[e.Service] = false
	}
}

// maxStopTimeout is the longest a service in these files asks for.
const maxStopTimeout = 30 * time.Second

// patience is the moment hupwatch must have ended where it waits so long before
// the last KILL: then it gives up what does not die of it, which may have come
// to life only after that KILL.
func (w *world) patience(d time.Duration) lifecycle.Instant {
	from := max(w.now, w.frozen)
	for _, a := range w.list {
		from = max(from, a.frozen)
	}
	return from.Add(d).Add(11 * time.Second)
}

// checkRest: when nothing can happen until time passes, nobody waits for what
// nobody is going to do.
func (w *world) checkRest() {
	v := &w.watch
	frozen := len(w.inbox) > 0
	for _, a := range w.list {
		frozen = frozen || len(a.inbox) > 0
	}
	if frozen {
		return
	}
	if !v.ending && !v.reading && (v.hupsServed != v.hups || len(v.claims) > 0) {
		w.violated("a HUP or USR2 is forgotten: %d of %d HUPs served, name files not acted on: %v", v.hupsServed, v.hups, v.claims)
	}
	if !v.reading && len(v.clients) > 0 {
		w.violated("clients are not told what becomes of what they asked: %v", v.clients)
	}
	if !v.ending && !v.claiming && v.asksHeard != v.asks {
		w.violated("a USR2 is forgotten: %d came, %d were heard", v.asks, v.asksHeard)
	}
	for _, t := range w.rollout.held {
		if r := w.actors[t.Service].machine.Current; r == nil || !r.Begun || r.Ticket != t.Ticket || r.Turn != lifecycle.TurnHeld {
			w.violated("%s never returns its turn", t.Service)
		}
	}
	for _, a := range w.list {
		w.checkWaiting(a)
	}
}

// checkWaiting: a reload that is under way has its turn; one that waits does so
// for a start under way, for a drain slot, or for those who have all the turns.
func (w *world) checkWaiting(a *actor) {
	m, sl := a.machine, &a.machine.Slots[0]
	if m.Config.Essential && m.Current == nil && !w.watch.ending && (m.State() == lifecycle.StateDone || m.State() == lifecycle.StateFailed) {
		w.violated("%s is essential and down for good, and hupwatch goes on", m.Name)
	}
	w.checkSockets(a)
	w.checkHooks(a)
	for i := range m.Slots {
		w.checkGoesOn(a, &m.Slots[i])
		w.checkDrains(a, &m.Slots[i])
	}
	if m.Current == nil {
		return
	}
	mine := func(t Turn) bool { return t == Turn{m.Name, m.Current.Ticket} }
	starts := slices.ContainsFunc(m.Slots, func(sl lifecycle.Slot) bool { return sl.Incoming != nil })
	switch {
	case m.Current.Begun:
		if !slices.ContainsFunc(w.rollout.held, mine) {
			w.violated("%s reloads, though it is not its turn", m.Name)
		}
		w.checkReloads(a)
	case m.State() == lifecycle.StateWaiting:
		w.checkAnsweredThoughHeld(m)
	case starts, full(m, sl):
	case !slices.ContainsFunc(w.rollout.queue, mine):
		w.violated("%s waits to reload, and nothing will ever let it", m.Name)
	case len(w.rollout.held) < w.rollout.Config.Daemon.MaxParallel:
		w.violated("%s waits for its turn, but only %d of %d reload", m.Name, len(w.rollout.held), w.rollout.Config.Daemon.MaxParallel)
	}
}

// checkAnsweredThoughHeld: requests do not wait for what depends on a service that is
// not going to be ready: nobody knows when somebody will mend it.
func (w *world) checkAnsweredThoughHeld(m *lifecycle.Machine) {
	for _, name := range m.Awaits {
		if a := w.actors[name]; a != nil && a.machine.State() == lifecycle.StateFailed && a.machine.Current == nil {
			w.violated("a request to %s waits for a service that failed: %s", m.Name, name)
		}
	}
}

// full reports whether every drain slot of an instance is taken.
func full(m *lifecycle.Machine, sl *lifecycle.Slot) bool { return drains(sl) >= m.Config.MaxDraining }

func drains(sl *lifecycle.Slot) int {
	n := 0
	for _, g := range sl.Draining {
		if !g.Abandoned {
			n++
		}
	}
	return n
}

// checkGoesOn: an incoming generation waits for something that is going to come.
func (w *world) checkGoesOn(a *actor, sl *lifecycle.Slot) {
	g := sl.Incoming
	if g == nil {
		return
	}
	due := g.Deadline != lifecycle.Never || g.Hook != nil || g.Proof.Asked
	switch g.Phase {
	case lifecycle.PhaseWaiting:
		due = drains(sl) > 0
	case lifecycle.PhaseHandover:
		due = due || sl.Active != nil && sl.Active.Hook != nil
	}
	if !due {
		w.violated("generation %d of %s is %s, and nothing will ever take it further", g.Number, a.machine.Name, g.Phase)
	}
}

// checkDrains: what drains has its time, which in these files is never endless.
func (w *world) checkDrains(a *actor, sl *lifecycle.Slot) {
	for _, g := range sl.Draining {
		if !g.Killed && g.Hook == nil && g.PID != 0 && g.KillAt == lifecycle.Never {
			w.violated("generation %d of %s drains, and nothing will ever kill it", g.Number, a.machine.Name)
		}
	}
}

// checkReloads: a reload under way comes to an end.
func (w *world) checkReloads(a *actor) {
	m := a.machine
	r, sl := m.Current, &m.Slots[m.Current.Slot]
	if sl.Incoming == nil && r.Watching == "" && !(r.Between && full(m, sl)) {
		w.violated("%s reloads instance %d, and nothing will ever end that", m.Name, r.Slot)
	}
}

// checkSockets: a socket that nothing serves and nothing will is closed, lest its
// connections wait for ever and its address be taken.
func (w *world) checkSockets(a *actor) {
	if e := a.machine.Stopping; a.machine.Current != nil || e != nil && !e.Done {
		return // one that is removed may be put back, and serve it again
	}
	var needed []config.Listen
	for i := range a.machine.Slots {
		sl := &a.machine.Slots[i]
		forking := func(g *lifecycle.Generation) bool { return g.PID == 0 }
		if sl.Incoming != nil || slices.ContainsFunc(sl.Draining, forking) {
			return
		}
		if sl.Active != nil {
			needed = append(needed, sl.Active.Release.Service.Listen...)
		}
		switch {
		case sl.Resting != "":
		case sl.Good != nil:
			needed = append(needed, sl.Good.Service.Listen...)
		case sl.NextStart != lifecycle.Never:
			needed = append(needed, a.machine.Config.Listen...)
		}
		if back := goesBackTo(sl); back != nil {
			needed = append(needed, back.Service.Listen...)
		}
	}
	for _, l := range a.open {
		if !slices.Contains(needed, l) {
			w.violated("%s listens on %s, which nothing serves", a.machine.Name, l.Address)
		}
	}
}

// goesBackTo is the release that the active one of a slot, if it failed now, would be
// rolled back to; nil if it would not be.
func goesBackTo(sl *lifecycle.Slot) *release.Release {
	if sl.Active == nil || sl.Probation.State != lifecycle.ProbationOn {
		return nil
	}
	var newest *release.Release
	for _, p := range sl.History {
		switch {
		case p.Release.Same(sl.Active.Release), slices.ContainsFunc(sl.Undone, p.Release.Same):
		case p.Well:
			return p.Release
		case newest == nil:
			newest = p.Release
		}
	}
	return newest
}

// checkEnded: hupwatch ends within its budget, everything is answered, and
// nothing that can be killed survives it.
func (w *world) checkEnded() {
	switch {
	case w.now > w.endBy:
		w.violated("hupwatch ends %v after its time was over", w.now.Sub(w.endBy))
	case len(w.rollout.requests) > 0, len(w.watch.answers) > 0:
		w.violated("hupwatch ends with %d requests not answered", max(len(w.rollout.requests), len(w.watch.answers)))
	case len(w.watch.clients) > 0:
		w.violated("hupwatch ends, and clients are not told so: %v", w.watch.clients)
	}
	for _, a := range w.list {
		if len(a.asked) > 0 {
			w.violated("hupwatch ends, and %s has not answered %v", a.machine.Name, a.asked)
		}
		w.checkHooks(a)
		for _, p := range a.live {
			if p.spawned && !p.left && !p.fate.unkillable && !p.killed && (!p.dead || p.rest) {
				w.violated("generation %d of %s survives hupwatch", p.number, p.service)
			}
		}
	}
}
