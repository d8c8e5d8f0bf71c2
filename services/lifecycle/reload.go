package lifecycle

import (
	"slices"

	"hupwatch/services/release"
)

// Reloading is one reload of a service, from the request to its result.
type Reloading struct {
	// IDs are the requests that it answers.
	IDs    []uint64
	Begun  bool
	Turn   TurnState
	Ticket int
	// Up is set if all requests only ask for the service to run, Changed if all of them
	// leave it alone if there is nothing new.
	Up      bool
	Changed bool
	// Waits is set once it was told that the reload waits for an old generation to end.
	Waits bool
	// Slot is the instance that is being reloaded; those before it are done. Instances
	// is how many there are going to be. Between is set while the next one cannot begin
	// yet.
	Slot      int
	Instances int
	Between   bool
	// FellBack is why the last good release is started again after the old generation
	// had been stopped first.
	FellBack string
	// Watching is how far a program that reloads itself has been observed, WatchedUntil
	// when it has been alive for long enough, ReadyUntil how long it may take to answer
	// after that. Note is what there is to say about it.
	Watching     Watch
	WatchedUntil Instant
	ReadyUntil   Instant
	Note         string
	// Made is the release that every instance gets.
	Made *release.Release
	// Back is set if Made is a release that served before.
	Back bool
	// New is set once an instance has the new release.
	New bool
	// Undone is why an instance that had been reloaded went back to the release before.
	Undone string
	// Served is set if anything served when the reload of the slot began.
	Served  bool
	BegunAt Instant
}

// Watch is how far a program that reloads itself has been observed.
type Watch string

// The steps; not at all is the empty one.
const (
	WatchAlive Watch = "alive" // it has to stay alive for the warm-up
	WatchProbe Watch = "probe" // and then has to be ready
)

// TurnState says whether the coordinator lets a reload go on beside those of other
// services.
type TurnState string

// The turn states; none asked for is the empty one.
const (
	TurnAsked TurnState = "asked"
	TurnHeld  TurnState = "held"
)

// reload takes a request for a reload.
func (s *step) reload(in Reload) {
	if s.isGone(in.ID) {
		return
	}
	s.Config = in.Config
	switch {
	case !s.WantedUp:
		s.do(Answer{IDs: []uint64{in.ID}, Result: ResultSkipped, Reason: s.WhyDown()})
	case s.Stopping != nil: // it is started again soon
		s.Stopping.Again = append(s.Stopping.Again, in.ID)
	default:
		s.demand(in.ID, Reloading{Changed: in.Changed})
	}
}

// demand lets a request be answered by the next reload that begins.
func (s *step) demand(id uint64, run Reloading) {
	if s.held() {
		s.tellAwaits([]uint64{id})
	}
	switch r := s.Current; {
	case r == nil:
		run.IDs = []uint64{id}
		s.Current = &run
	case !r.Begun && !r.Back:
		r.merge(id, run)
	default:
		if s.Next == nil {
			s.Next = &Reloading{Up: run.Up, Changed: run.Changed}
		}
		s.Next.merge(id, run)
	}
}

// merge adds a request that the reload answers too.
func (r *Reloading) merge(id uint64, other Reloading) {
	r.IDs = append(r.IDs, id)
	r.Up, r.Changed = r.Up && other.Up, r.Changed && other.Changed
}

// turn takes the turn that was asked for.
func (s *step) turn(in Turn) {
	if s.Current == nil || s.Current.Turn != TurnAsked || s.Current.Ticket != in.Ticket {
		return // given back before it came
	}
	s.Current.Turn = TurnHeld
}

// begin begins the reload that waits as soon as nothing is in its way: a start under
// way ends first, at most max_draining generations may drain, and other services have
// their turn. A turn that cannot be used is returned.
func (s *step) begin() {
	s.answerHeld()
	r := s.Current
	if r == nil || r.Begun {
		return
	}
	if r.Up && s.serves() { // a start that was under way did it
		s.returnTurn(r)
		s.Current = nil
		s.keepSockets()
		active := s.Slots[0].Active
		s.do(Answer{IDs: r.IDs, Result: ResultStarted, Generation: active.Number, PID: active.PID})
		return
	}
	if !s.mayBegin(r) {
		s.returnTurn(r)
		return
	}
	switch r.Turn {
	case "":
		s.Tickets++
		r.Turn, r.Ticket = TurnAsked, s.Tickets
		s.do(AskTurn{Ticket: r.Ticket})
	case TurnHeld:
		r.Begun, s.Booting = true, false
		r.BegunAt = s.now
		r.Instances = max(1, s.Config.Instances)
		s.grow(r.Instances)
		s.emit(nil, nil, Event{Kind: KindReloadBegun})
		s.beginInstance(r)
	case TurnAsked:
	}
}

func (s *step) mayBegin(r *Reloading) bool {
	if s.held() {
		return false
	}
	for i := range s.Slots {
		if s.Slots[i].Incoming != nil {
			return false
		}
	}
	return s.drainSlotFree(r)
}

// drainSlotFree reports whether so few generations of the slot drain that one more may.
// If not, that is told once.
func (s *step) drainSlotFree(r *Reloading) bool {
	sl := &s.Slots[r.Slot]
	if sl.draining() < s.Config.MaxDraining {
		return true
	}
	if !r.Waits {
		r.Waits = true
		s.emit(sl, sl.Draining[0], Event{Kind: KindReloadWaits, Reloads: r.IDs})
	}
	return false
}

func (s *step) beginInstance(r *Reloading) {
	sl := &s.Slots[r.Slot]
	r.Served = r.Served || sl.Active != nil
	sl.Backoff.clear()
	s.launch(sl, CauseReload, r.Made)
}

// instanceDone is called when an instance has the new release.
func (s *step) instanceDone(sl *Slot, g *Generation) {
	s.Current.New = true
	if s.nextInstance() {
		return
	}
	result := ResultStarted
	if s.Current.Served {
		result = ResultPromoted
	}
	s.finish(result, "", sl, g)
}

// nextInstance goes on with the next instance, if there is one.
func (s *step) nextInstance() bool {
	r := s.Current
	switch {
	case r.Undone != "": // then that is the end of it
	case r.Slot+1 >= r.Instances:
		return false
	default:
		r.Slot++
	}
	r.Between, r.Waits = true, false
	s.goOn()
	return true
}

// goOn begins the reload of the next instance as soon as nothing is in its way.
func (s *step) goOn() {
	r := s.Current
	switch {
	case r == nil || !r.Between:
	case r.Undone != "":
		s.finish(ResultPartial, r.Undone, &s.Slots[r.Slot], nil)
	case s.Slots[r.Slot].Incoming == nil && s.drainSlotFree(r):
		r.Between = false
		s.beginInstance(r)
	}
}

// instanceFailed is called when the incoming generation of a reload has failed.
func (s *step) instanceFailed(sl *Slot, g *Generation, reason string) {
	if served := sl.Good != nil && sl.Good.Same(g.Release); g.Number != 0 && !s.Current.Back && !served {
		s.refuse(g, g.Release, reason)
	}
	if s.fallBack(sl, g, reason) {
		return
	}
	result := ResultFailed
	if sl.Active != nil {
		result = ResultKeptOld
	}
	s.startRest()
	s.finish(s.Current.orPartial(result), reason, sl, g)
	if sl.Active != nil || sl.NextStart != Never || sl.Resting != "" {
		return
	}
	s.again(sl, g.service(), false)
}

// startRest lets the instances be started by themselves that a failed first start has
// not reached.
func (s *step) startRest() {
	r := s.Current
	for i := r.Slot + 1; i < r.Instances && r.Slot > 0 && !r.Served; i++ {
		if sl := &s.Slots[i]; sl.idle() {
			sl.NextStart, sl.NextCause = s.now, CauseStart
		}
	}
}

// orPartial is the result of a reload that failed at one instance: others may have the
// new release already.
func (r *Reloading) orPartial(result Result) Result {
	if r.Slot > 0 {
		return ResultPartial
	}
	return result
}

// finish ends the reload with its result. The generation is the one that decided it, or
// nil.
func (s *step) finish(result Result, reason string, sl *Slot, g *Generation) {
	r := s.Current
	ended := Event{Kind: KindReloadEnded, Result: result, Reason: reason, Reloads: r.IDs, Elapsed: s.now.Sub(r.BegunAt)}
	if g != nil {
		ended.Exit, ended.Tail = g.exit(), g.Tail
	}
	switch result {
	case ResultPromoted, ResultStarted, ResultPartial, ResultRolledBack:
		if ended.Wait = s.mayUndo(); ended.Wait > 0 {
			s.Settling = slices.Concat(s.Settling, r.IDs)
		}
	default:
	}
	if active := sl.Active; active != nil {
		ended.Serving, ended.ServingRelease = active.Number, active.Release.Dir
	}
	s.emit(sl, g, ended)
	if result != ResultSkipped {
		s.afterReload(sl, g, result, reason)
	}
	if result == ResultPromoted || result == ResultStarted || result == ResultSignalled {
		s.shrink(r.Instances)
	}
	for i := range s.Slots {
		if done := &s.Slots[i]; done.Active != nil && done.Probation.State == "" {
			done.Active.Reloads = nil // what becomes of it now is no part of the reload
		}
	}
	s.Observing = 0
	s.returnTurn(r)
	a := Answer{IDs: r.IDs, Told: true, Result: result, Reason: reason}
	if active := sl.Active; active != nil {
		a.Generation, a.PID = active.Number, active.PID
	}
	s.do(a)
	s.keepSockets()
	s.Current, s.Next = s.Next, nil
}

func (s *step) returnTurn(r *Reloading) {
	if r.Turn == "" {
		return
	}
	r.Turn = ""
	s.do(ReturnTurn{Ticket: r.Ticket})
}

// abortReloads aborts every request that has no answer yet.
func (s *step) abortReloads(reason string) {
	if r := s.Current; r != nil {
		s.returnTurn(r)
		s.do(Answer{IDs: r.IDs, Result: ResultAborted, Reason: reason})
		s.Current = nil
	}
	if r := s.Next; r != nil {
		s.abort(r.IDs, reason)
		s.Next = nil
	}
}
