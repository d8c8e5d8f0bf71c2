package runner

import (
	"slices"
	"strings"
	"time"

	"hupwatch/services"
)

// rolloutWatch is what the checks remember of the rollout.
type rolloutWatch struct {
	hups, hupsRead, hupsServed int // so many came; when the read began; when one was acted on
	readsSinceHup              int
	reading                    bool
	asks, asksTaken, asksHeard int // of name files, likewise
	claiming                   bool
	claims                     [][]string // taken, and not acted on yet
	stopped                    map[string]bool
	ending                     bool
	signal                     string // that it ends for
}

func (w *world) beforeRollout(in input) {
	v := &w.watch
	switch in := in.(type) {
	case hangup:
		v.hups++
		v.readsSinceHup = 0
	case namesAsked:
		v.asks++
	case namesClaimed:
		v.claiming, v.asksHeard = false, v.asksTaken
		if in.err == nil {
			v.claims = append(v.claims, in.names)
		}
	case configRead:
		v.reading = false
	case stop:
		if !w.rollout.ending {
			v.signal = in.signal
		}
	case kill:
		w.endBy = min(w.endBy, w.patience(0))
	}
}

// checkRollout holds what the rollout wants beside what it was told.
func (w *world) checkRollout(in input, effects []effect) {
	v := &w.watch
	if read, ok := in.(configRead); ok && !w.rollout.ending {
		w.checkRead(read, effects)
	}
	for _, e := range effects {
		switch e := e.(type) {
		case readConfig:
			if v.reading {
				w.violated("the file is read twice at the same time")
			}
			v.reading, v.hupsRead = true, v.hups
		case claimNames:
			if v.claiming {
				w.violated("the name file is claimed twice at the same time")
			}
			v.claiming, v.asksTaken = true, v.asks
		case tell:
			w.checkTell(e)
		case emit:
			if e.event.Kind == services.KindTrouble && e.event.Service != "" {
				w.violated("%s %s", e.event.Service, e.event.Reason)
			}
		}
	}
	if !v.ending && w.rollout.ending {
		v.ending = true
		w.endBy = min(w.endBy, w.patience(maxStopTimeout), w.patience(w.rollout.config.Daemon.ShutdownTimeout))
	}
}

func (w *world) checkTell(e tell) {
	switch e.input.(type) {
	case services.Turn:
		if n, most := len(w.rollout.held), w.rollout.config.Daemon.MaxParallel; n > most {
			w.violated("%d reloads at the same time, max_parallel is %d", n, most)
		}
	case services.Stop:
		w.watch.stopped[e.service] = true
	case services.Declare:
		w.watch.stopped[e.service] = false
	}
}

// maxStopTimeout is the longest a service in these files asks for.
const maxStopTimeout = 30 * time.Second

// patience is the moment hupwatch must have ended where it waits so long before
// the last KILL: then it gives up what does not die of it, which may have come
// to life only after that KILL.
func (w *world) patience(d time.Duration) services.Instant {
	from := max(w.now, w.frozen)
	for _, a := range w.list {
		from = max(from, a.frozen)
	}
	return from.Add(d).Add(11 * time.Second)
}

// checkRead: a bad file changes nothing, nor does a bad name file; a good file
// reloads what is in it and stops what is not; a name file reloads those in it
// and touches nobody else.
func (w *world) checkRead(read configRead, effects []effect) {
	v := &w.watch
	by := ""
	for _, e := range effects {
		if e, ok := e.(emit); ok && (e.event.Kind == services.KindRequest || e.event.Kind == services.KindRefused) {
			by = e.event.By
		}
	}
	var names []string
	switch by {
	case "signal HUP":
		v.hupsServed = v.hupsRead
		if v.readsSinceHup++; v.readsSinceHup > 2 {
			w.violated("the file is read %d times since the last HUP", v.readsSinceHup)
		}
	case "signal USR2":
		if len(v.claims) == 0 {
			w.violated("a name file is acted on that nobody wrote")
		}
		names, v.claims = v.claims[0], v.claims[1:]
	default:
		w.violated("the file was read, and nobody hears what for")
	}
	if read.config == nil || w.anyUnknown(read, names) {
		w.checkUntouched(effects)
		return
	}
	w.parsed = read.config
	if names == nil {
		for _, s := range read.config.Services {
			names = append(names, s.Name)
		}
		w.checkStopped(read, effects)
	}
	w.checkReloaded(by, names, effects)
}

func (w *world) anyUnknown(read configRead, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := read.config.Service(name); return !ok })
}

func (w *world) checkUntouched(effects []effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case add, apply, tell:
			w.violated("what was refused is half done: %s", show(e))
		}
	}
}

// checkStopped: a service that the file names no more is told to stop.
func (w *world) checkStopped(read configRead, effects []effect) {
	told := make(map[string]bool)
	for _, e := range effects {
		if t, ok := e.(tell); ok {
			_, stop := t.input.(services.Stop)
			told[t.service] = told[t.service] || stop
		}
	}
	for _, a := range w.list {
		name := a.machine.Name
		if _, ok := read.config.Service(name); !ok && !told[name] && !w.watch.stopped[name] {
			w.violated("%s was removed from the file and runs on", name)
		}
	}
}

func (w *world) checkReloaded(by string, names []string, effects []effect) {
	reloads := make(map[string]int)
	for _, e := range effects {
		t, ok := e.(tell)
		if !ok {
			continue
		}
		switch in := t.input.(type) {
		case services.Turn:
			continue
		case services.Stop:
			if by == "signal HUP" {
				continue
			}
		case services.Reload:
			reloads[t.service]++
			if revision(in.Config) != revision(w.parsed.Services[0]) {
				w.violated("%s is reloaded with revision %d, read was %d", t.service, revision(in.Config), revision(w.parsed.Services[0]))
			}
		}
		if !slices.Contains(names, t.service) {
			w.violated("%s for %s touches %s", by, strings.Join(names, ","), t.service)
		}
	}
	for _, name := range names {
		if reloads[name] != 1 {
			w.violated("%s reloads %s %d times", by, name, reloads[name])
		}
	}
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
	if !v.ending && !v.claiming && v.asksHeard != v.asks {
		w.violated("a USR2 is forgotten: %d came, %d were heard", v.asks, v.asksHeard)
	}
	for _, t := range w.rollout.held {
		if r := w.actors[t.service].machine.Under; r == nil || !r.Begun || r.Ticket != t.ticket || r.Turn != services.TurnHeld {
			w.violated("%s never returns its turn", t.service)
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
	if m.Config.Essential && m.Under == nil && !w.watch.ending && (m.State() == services.StateExited || m.State() == services.StateFailed) {
		w.violated("%s is essential and down for good, and hupwatch goes on", m.Name)
	}
	w.checkSockets(a)
	if m.Under == nil {
		return
	}
	mine := func(t turn) bool { return t == turn{m.Name, m.Under.Ticket} }
	draining := 0
	for _, g := range sl.Draining {
		if !g.Killed || g.KilledAt != services.Never {
			draining++
		}
	}
	switch {
	case m.Under.Begun:
		if !slices.ContainsFunc(w.rollout.held, mine) {
			w.violated("%s reloads, though it is not its turn", m.Name)
		}
	case sl.Incoming != nil, draining >= m.Config.MaxDraining:
	case !slices.ContainsFunc(w.rollout.queue, mine):
		w.violated("%s waits to reload, and nothing will ever let it", m.Name)
	case len(w.rollout.held) < w.rollout.config.Daemon.MaxParallel:
		w.violated("%s waits for its turn, but only %d of %d reload", m.Name, len(w.rollout.held), w.rollout.config.Daemon.MaxParallel)
	}
}

// checkSockets: a socket that nothing serves and nothing will is closed, lest its
// connections wait for ever and its address be taken.
func (w *world) checkSockets(a *actor) {
	sl := &a.machine.Slots[0]
	if e := a.machine.Ending; a.machine.Under != nil || e != nil && !e.Said {
		return // one that is removed may be put back, and serve it again
	}
	forking := func(g *services.Generation) bool { return g.PID == 0 }
	if sl.Incoming != nil || slices.ContainsFunc(sl.Draining, forking) {
		return
	}
	for _, l := range a.open {
		if (sl.Good == nil || !slices.Contains(sl.Good.Service.Listen, l)) && (sl.Active == nil || !slices.Contains(sl.Active.Release.Service.Listen, l)) {
			w.violated("%s listens on %s, which nothing serves", a.machine.Name, l.Address)
		}
	}
}

// checkEnded: hupwatch ends within its budget, everything is answered, and
// nothing that can be killed survives it.
func (w *world) checkEnded() {
	switch {
	case w.now > w.endBy:
		w.violated("hupwatch ends %v after its time was over", w.now.Sub(w.endBy))
	case len(w.rollout.requests) > 0:
		w.violated("hupwatch ends with %d requests not answered", len(w.rollout.requests))
	}
	for _, a := range w.list {
		if len(a.asked) > 0 {
			w.violated("hupwatch ends, and %s has not answered %v", a.machine.Name, a.asked)
		}
		for _, p := range a.live {
			if p.spawned && !p.left && !p.fate.unkillable && (!p.dead || p.rest) {
				w.violated("generation %d of %s survives hupwatch", p.number, p.service)
			}
		}
	}
}
