package rollout

import (
	"reflect"
	"slices"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// machineAsks is what the checks remember of what a service was asked.
type machineAsks struct {
	asked     map[uint64]*ask // not answered yet
	wanted    bool            // up
	commanded bool            // by somebody, not by autostart
	// restarting is set from a restart until its start; the first so many
	// generations must have gone by then.
	restarting bool
	old        int
	kept       []config.Listen  // what must stay open until the next start
	told       *lifecycle.Event // how the reload ended whose answer is next
}

// ask is one thing a service was asked.
type ask struct {
	input    lifecycle.Input
	revision int  // of the file it comes with
	changed  bool // it is for a reload of what is new only
	reload   bool // only a reload that begins after it can fulfil it
	heard    bool
	begun    bool // such a reload has
	undone   bool // by what was asked later
}

// isAsked notes what a service is asked, as far as it is to be answered.
func (a *actor) isAsked(in lifecycle.Input) {
	q := &ask{input: in}
	switch in := in.(type) {
	case lifecycle.Reload:
		q.revision, q.changed, q.reload = revision(in.Config), in.Changed, true
	case lifecycle.Restart:
		q.revision, q.reload = revision(in.Config), true
	case lifecycle.RollBack:
		q.reload = true
	}
	if id := requestID(in); id != 0 {
		a.asked[id] = q
	}
}

// ends reports whether what lives of the service is to end, whatever becomes of it.
func (a *actor) ends() bool { return a.stopping || !a.wanted || a.restarting }

// forget is for a service that stops, or is left: what it ran is no more than history.
func (a *actor) forget(left bool) {
	a.stopPasts(left)
	clear(a.slots)
	a.restarting, a.kept = false, nil
	if !a.final { // else the next hupwatch goes by it
		a.waited, a.unseen = nil, false
	}
}

// heardDemand notes what somebody wants of a service that can still do it.
func (a *actor) heardDemand(in lifecycle.Input) {
	switch in := in.(type) {
	case lifecycle.Start:
		if in.Wanted != "" {
			a.wanted, a.commanded = in.Wanted == lifecycle.WantedUp, true
		}
	case lifecycle.Up:
		if !a.wanted && !a.stopping {
			a.undo()
			a.kept = slices.Clone(a.open)
		}
		a.hears(in.ID, in.Config)
		if !a.stopping {
			a.wanted, a.commanded = true, true
		}
	case lifecycle.Restart:
		a.hears(in.ID, in.Config)
		if a.stopping {
			return
		}
		if !a.restarting {
			a.forget(false)
			a.kept = slices.Clone(a.open)
		}
		a.wanted, a.commanded = true, true
		a.restarting, a.old = true, len(a.procs)
	case lifecycle.Down:
		if !a.stopping {
			a.undo()
			a.forget(false)
			a.wanted, a.commanded = false, true
		}
		a.hears(in.ID, nil)
	case lifecycle.Forward:
		a.hears(in.ID, nil)
	case lifecycle.RollBack:
		a.hears(in.ID, nil)
	}
}

func (a *actor) hears(id uint64, c *config.Service) {
	if q := a.asked[id]; q != nil {
		q.heard = true
	}
	a.begun = 0
	if c != nil {
		a.configured(c)
	}
}

// undo notes that what was asked so far need not come true.
func (a *actor) undo() {
	for _, q := range a.asked {
		q.undone = q.undone || q.heard
	}
}

func (a *actor) hasBegun(ids []uint64) {
	for _, id := range ids {
		if q := a.asked[id]; q != nil {
			q.begun = true
		}
	}
}

// checkStart: what is wanted down, or was removed, is not started, and a restart
// starts nothing while an old process lives that can be killed.
func (w *world) checkStart(a *actor) {
	name := a.machine.Name
	switch {
	case a.stopping:
		w.violated("%s is started, and was to stop", name)
	case !a.wanted:
		w.violated("%s is started, and is wanted down", name)
	case !a.restarting:
		return
	}
	for _, p := range a.procs[:a.old] {
		if !p.toldEmpty && !p.abandoned {
			w.violated("%s is started again, and its generation %d lives", name, p.number)
		}
	}
}

// checkKept: who connects while a service restarts, or comes back while it stops,
// waits for the new process.
func (w *world) checkKept(a *actor) {
	for _, l := range a.kept {
		if slices.Contains(a.machine.Config.Listen, l) && !slices.Contains(a.open, l) {
			w.violated("%s has closed %s, and is about to be started with it", a.machine.Name, l.Address)
		}
	}
	if len(a.kept) > 0 { // the file may want it back, but not the queue in it
		a.kept = slices.DeleteFunc(a.kept, func(l config.Listen) bool { return !slices.Contains(a.open, l) })
	}
}

// checkPass: what somebody wants signalled is what serves.
func (w *world) checkPass(a *actor, e lifecycle.Pass) {
	sl, g := a.find(e.Generation)
	if g == nil || g != sl.Active || a.procs[e.Generation-1].toldExit {
		w.violated("generation %d of %s is passed a signal, and does not serve", e.Generation, a.machine.Name)
	}
}

// nothingNew reports whether the reload under way is only for what is new, and a
// process of this release would be what serves already.
func (a *actor) nothingNew(sl *lifecycle.Slot, made *release.Release) bool {
	m := a.machine
	has := a.slot(sl.Instance).good // done, if it does not run
	switch {
	case sl.Incoming.Cause != lifecycle.CauseReload:
		return false
	case sl.Active != nil:
		has = a.procs[sl.Active.Number-1].release
	case !a.slot(sl.Instance).rests, !isDoneBy(made.Service, sl.LastEnd):
		return false
	}
	for _, id := range m.Current.IDs {
		if q := a.asked[id]; q == nil || !q.changed {
			return false
		}
	}
	return has.Dir == made.Dir && has.Path == made.Path &&
		reflect.DeepEqual(has.Service.Environment, made.Service.Environment) && slices.Equal(has.Service.Listen, made.Service.Listen) &&
		has.Service.Instances == made.Service.Instances && has.Service.Publish == made.Service.Publish
}

// checkDemand holds what a machine does beside what it was asked.
func (w *world) checkDemand(a *actor, was before, in lifecycle.Input, effects []lifecycle.Effect) {
	name := a.machine.Name
	switch in := in.(type) {
	case lifecycle.Resolved:
		w.checkNothingNew(a, was, in, effects)
	case lifecycle.Forward:
		w.checkForward(a, was, in, effects)
		return
	case lifecycle.Up:
		if was.running && !was.due && a.asked[in.ID] != nil {
			w.violated("%s serves, and the request %d to start it waits", name, in.ID)
		}
		if was.running && !was.due && was.begun != (a.machine.Current != nil && a.machine.Current.Begun) {
			w.violated("%s serves, and request %d to start it changes what is under way", name, in.ID)
		}
	}
	for _, e := range effects {
		switch e := e.(type) {
		case lifecycle.Pass:
			if r := a.machine.Current; r == nil || r.Watching == "" || a.made == nil || a.made.Service.ReloadSignal != e.Signal {
				w.violated("generation %d of %s is passed a signal that nobody asked for", e.Generation, name)
			}
		case lifecycle.Emit:
			w.checkWhy(was, in, e.Event)
		}
	}
}

// checkWhy: who asks for a stop or a restart is told what is done for it.
func (w *world) checkWhy(was before, in lifecycle.Input, e lifecycle.Event) {
	switch in.(type) {
	case lifecycle.Down, lifecycle.Restart:
	default:
		return
	}
	if slices.Contains(was.slot(e.Instance).draining, e.Generation) {
		return
	}
	if id := requestID(in); e.Kind == lifecycle.KindStopSignalled && !slices.Contains(e.Reloads, id) {
		w.violated("generation %d of %s is told to end for request %d, and the world hears it is for %v", e.Generation, e.Service, id, e.Reloads)
	}
}

func (w *world) checkForward(a *actor, was before, in lifecycle.Forward, effects []lifecycle.Effect) {
	passed := 0
	for _, e := range effects {
		if p, ok := e.(lifecycle.Pass); ok {
			passed++
			if p.Signal != in.Signal {
				w.violated("%s passes signal %d to generation %d, asked was %d", a.machine.Name, p.Signal, p.Generation, in.Signal)
			}
		}
	}
	serve := 0
	for _, sl := range was.slots {
		if sl.active != 0 {
			serve++
		}
	}
	if serve != passed {
		w.violated("%s passes a signal on %d times; %d instances serve", a.machine.Name, passed, serve)
	}
	if a.asked[in.ID] != nil {
		w.violated("%s does not say what became of signal request %d", a.machine.Name, in.ID)
	}
}

// checkNothingNew: what would be started with nothing new is left alone, and
// nothing else is; then the keys that need no new process are in force, after a
// crash too.
func (w *world) checkNothingNew(a *actor, was before, in lifecycle.Resolved, effects []lifecycle.Effect) {
	for i, before := range was.slots {
		if before.phase != lifecycle.PhaseResolving || before.incoming != in.Attempt {
			continue
		}
		sl := &a.machine.Slots[i]
		kept := sl.Active != nil && sl.Active.Number == before.active || before.active == 0 && sl.Active == nil && sl.Resting == lifecycle.StateDone
		alone := kept && (sl.Incoming == nil || sl.Incoming.Attempt != in.Attempt)
		passed := slices.ContainsFunc(effects, func(e lifecycle.Effect) bool { _, ok := e.(lifecycle.Pass); return ok })
		if alone && !passed != before.nothing {
			w.violated("instance %d of %s is left alone: %v; it would be started with nothing new: %v", i, a.machine.Name, alone, before.nothing)
		}
		a.slot(i).rests = a.slot(i).rests && before.nothing
		if before.nothing {
			w.checkLeftAlone(a, sl, in, effects)
		}
	}
	skipped := slices.ContainsFunc(effects, func(e lifecycle.Effect) bool {
		answer, ok := e.(lifecycle.Answer)
		return ok && answer.Result == lifecycle.ResultSkipped
	})
	nothing := slices.ContainsFunc(was.slots, func(sl slotBefore) bool { return sl.nothing })
	if skipped && !nothing || nothing && !skipped && len(a.machine.Slots) == 1 {
		w.violated("%s is left alone: %v; it would be started with nothing new: %v", a.machine.Name, skipped, nothing)
	}
}

func (w *world) checkLeftAlone(a *actor, sl *lifecycle.Slot, in lifecycle.Resolved, effects []lifecycle.Effect) {
	amended := func(e lifecycle.Effect) bool {
		x, ok := e.(lifecycle.Amend)
		return ok && reflect.DeepEqual(x.Config, in.Release.Service)
	}
	if !slices.ContainsFunc(effects, amended) {
		w.violated("%s is left alone, and its watcher keeps to the old configuration", a.machine.Name)
	}
	now := sl.Good
	if sl.Active != nil {
		now = sl.Active.Release
		a.procs[sl.Active.Number-1].release = now
	}
	if !reflect.DeepEqual(now.Service, in.Release.Service) {
		w.violated("%s is left alone, and what takes effect without a new process does not", a.machine.Name)
	}
	a.slot(sl.Instance).good = now
	a.pastOf(sl.Instance).newest(now)
}

// checkAnswer: every request is answered once, truly, and by a release that is
// not older than the request.
func (w *world) checkAnswer(a *actor, e lifecycle.Answer) {
	name := a.machine.Name
	if told := a.told; e.Told && (told == nil || told.Result != e.Result || !slices.Equal(told.Reloads, e.IDs)) {
		w.violated("%s says it has told how requests %v ended, and has not", name, e.IDs)
	}
	a.told = nil
	for _, id := range e.IDs {
		q := a.asked[id]
		if q == nil {
			w.violated("%s answers request %d, which was answered or never made", name, id)
		}
		delete(a.asked, id)
		w.checkResult(a, e, id, q)
	}
}

// results are what each request can come to, but for aborted.
func (q *ask) results() []lifecycle.Result {
	switch q.input.(type) {
	case lifecycle.Stop, lifecycle.Down:
		return []lifecycle.Result{lifecycle.ResultStopped}
	case lifecycle.RollBack:
		return []lifecycle.Result{lifecycle.ResultStarted, lifecycle.ResultPromoted, lifecycle.ResultKeptOld, lifecycle.ResultFailed, lifecycle.ResultPartial, lifecycle.ResultRolledBack, lifecycle.ResultSignalled}
	case lifecycle.Forward:
		return []lifecycle.Result{lifecycle.ResultSignalled, lifecycle.ResultFailed}
	case lifecycle.Restart:
		return []lifecycle.Result{lifecycle.ResultStarted, lifecycle.ResultFailed, lifecycle.ResultPartial}
	}
	return []lifecycle.Result{
		lifecycle.ResultStarted, lifecycle.ResultPromoted, lifecycle.ResultKeptOld, lifecycle.ResultFailed, lifecycle.ResultSkipped,
		lifecycle.ResultPartial, lifecycle.ResultRolledBack, lifecycle.ResultSignalled,
	}
}

// checkResult holds an answer beside what was asked.
func (w *world) checkResult(a *actor, e lifecycle.Answer, id uint64, q *ask) {
	name := a.machine.Name
	if e.Result == lifecycle.ResultAborted {
		if !a.stopping && !q.undone {
			w.violated("%s aborts request %d, and nothing stands in its way", name, id)
		}
		return
	}
	if !slices.Contains(q.results(), e.Result) {
		w.violated("%s answers request %d, a %T, with %s", name, id, q.input, e.Result)
	}
	serves := a.machine.Slots[0].Active != nil
	signals := a.signals
	switch e.Result {
	case lifecycle.ResultKeptOld:
		if !serves {
			w.violated("%s says kept_old, but nothing serves", name)
		}
	case lifecycle.ResultFailed:
		if _, signal := q.input.(lifecycle.Forward); !signal && a.machine.State() == lifecycle.StateRunning && !signals {
			w.violated("%s says failed, but something serves", name)
		}
	case lifecycle.ResultPartial:
		if a.instances < 2 {
			w.violated("%s says partial, and it has one instance", name)
		}
	case lifecycle.ResultRolledBack:
		if a.made != nil && a.made.Service.Reload != config.ReloadStopFirst || !serves || a.machine.Slots[0].Active.Number != e.Generation {
			w.violated("%s says rolled_back, and it did not stop first, or does not serve", name)
		}
	case lifecycle.ResultStopped:
		w.checkAllGone(a)
	case lifecycle.ResultSkipped:
		w.checkSkipped(a, id, q)
	case lifecycle.ResultSignalled:
		if _, signal := q.input.(lifecycle.Forward); !signal && !signals {
			w.violated("%s says signalled, and it does not reload itself", name)
		}
	case lifecycle.ResultPromoted, lifecycle.ResultStarted:
		w.checkServes(a, e, id, q, signals)
	}
}

// checkServes: who is told that a release serves finds it in every instance.
func (w *world) checkServes(a *actor, e lifecycle.Answer, id uint64, q *ask, signals bool) {
	name := a.machine.Name
	if q.reload && !q.begun {
		w.violated("%s answers request %d with a reload that began before it", name, id)
	}
	if last := &a.machine.Slots[len(a.machine.Slots)-1]; e.Generation == 0 && last.Resting == lifecycle.StateDone && a.slot(last.Instance).good == last.Good {
		return // it is done
	}
	sl, g := a.find(e.Generation)
	if g == nil || sl.Active != g || !a.procs[e.Generation-1].promoted || a.procs[e.Generation-1].toldExit {
		w.violated("%s answers request %d with %s, but generation %d does not serve", name, id, e.Result, e.Generation)
	}
	for i := range a.machine.Slots {
		good := a.slot(i).good
		if signals || i >= a.instances && a.instances > 0 {
			break
		}
		if good == nil && a.partial {
			continue // the reload before stopped there
		}
		if good == nil {
			w.violated("%s answers request %d with %s, but instance %d never served", name, id, e.Result, i)
		}
		if got := revision(good.Service); got < q.revision {
			w.violated("%s answers request %d with a release of revision %d, asked for was %d", name, id, got, q.revision)
		}
	}
}

// checkAllGone: who is told that a service has stopped can rely on it.
func (w *world) checkAllGone(a *actor) {
	for _, p := range a.live {
		if !p.abandoned {
			w.violated("%s says it has stopped, and its generation %d lives", a.machine.Name, p.number)
		}
	}
	if slices.ContainsFunc(a.machine.Slots, func(sl lifecycle.Slot) bool { return sl.Active != nil || sl.Incoming != nil }) {
		w.violated("%s says it has stopped, and runs", a.machine.Name)
	}
}

// checkSkipped: nothing is left undone but what is wanted down, what runs, and
// what there is nothing new for.
func (w *world) checkSkipped(a *actor, id uint64, q *ask) {
	serves := slices.ContainsFunc(a.machine.Slots, func(sl lifecycle.Slot) bool { return sl.Active != nil })
	switch q.input.(type) {
	case lifecycle.Up:
		if !serves {
			w.violated("%s skips request %d to start it, and does not serve", a.machine.Name, id)
		}
	case lifecycle.Reload:
		if a.wanted && !(q.changed && q.begun && (serves || a.machine.State() == lifecycle.StateDone)) {
			w.violated("%s skips request %d to reload it, and is wanted up", a.machine.Name, id)
		}
	}
}
