package lifecycle

import (
	"slices"

	"hupwatch/services/release"
)

// Reloading is a reload of one service, from the moment it is asked for until its
// result.
type Reloading struct {
	// IDs are the requests it answers.
	IDs    []uint64
	Begun  bool
	Turn   TurnState
	Ticket int
	// Up is set if all of them only want the service to run, Changed if all
	// of them want it left alone if there is nothing new.
	Up      bool
	Changed bool
	// Waits is set once people were told that it waits for a drain slot.
	Waits bool
	// Slot is the instance being reloaded; those before it are done. Instances is
	// how many there are going to be, and Between is set while the next one waits to
	// begin.
	Slot      int
	Instances int
	Between   bool
	// FellBack is why the last good release is started again, if the old
	// generation had been stopped first.
	FellBack string
	// Watching is how far it is watched how a program reloads itself, WatchedUntil when
	// that is enough, and Note what
	// there is to say about that.
	Watching     Watch
	WatchedUntil Instant
	Note         string
	// Made is the release that all instances get.
	Made *release.Release
	// Back is set for a release that served before: Made is known.
	Back bool
	// New is set once an instance has it.
	New bool
	// Undone is why an instance that was done went back to the release before.
	Undone string
	// Served reports whether anything served when the slot's reload began.
	Served  bool
	BegunAt Instant
}

// Watch is how far it is watched how a program reloads itself.
type Watch string

// The steps; not at all is the empty one.
const (
	WatchAlive Watch = "alive" // it has to stay alive for the warm-up
	WatchProbe Watch = "probe" // and then has to be ready
)

// TurnState says whether a reload may go on as far as other services are
// concerned.
type TurnState string

// The turn states; none asked for is the empty one.
const (
	TurnAsked TurnState = "asked"
	TurnHeld  TurnState = "held"
)

// ask takes a request for a reload.
func (s *step) reload(in Reload) {
	if s.isGone(in.ID) {
		return
	}
	s.Config = in.Config
	switch {
	case !s.WantedUp:
		s.do(Answer{IDs: []uint64{in.ID}, Result: ResultSkipped, Reason: "it is wanted down"})
	case s.Stopping != nil: // it is started again soon
		s.Stopping.Again = append(s.Stopping.Again, in.ID)
	default:
		s.demand(in.ID, Reloading{Changed: in.Changed})
	}
}

// demand has a request answered by the reload that begins after it.
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

// merge has the reload answer one more request.
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

// begin lets the reload that waits begin, as soon as nothing stands in its way:
// a start under way ends first, a drain slot must be free, and other services
// have their turn. It does not keep a turn it cannot use.
func (s *step) begin() {
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

// drainSlotFree reports whether the slot's turn to reload has come as far as its
// own draining generations are concerned, and tells people once if not.
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

// instanceDone is called when the incoming generation of a reload was promoted, or
// an instance after such a one needs none.
func (s *step) instanceDone(sl *Slot) {
	s.Current.New = true
	if s.nextInstance() {
		return
	}
	result := ResultStarted
	if s.Current.Served {
		result = ResultPromoted
	}
	s.finish(result, "", sl, sl.Active)
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

// goOn begins the reload of the next instance, once nothing stands in its way.
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

// instanceFailed is called when it was no good.
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

// startRest has the instances started by themselves that a start does not come to any
// more.
func (s *step) startRest() {
	r := s.Current
	for i := r.Slot + 1; i < r.Instances && r.Slot > 0 && !r.Served; i++ {
		if sl := &s.Slots[i]; sl.idle() {
			sl.NextStart, sl.NextCause = s.now, CauseStart
		}
	}
}

// orPartial is the result of a reload whose instance was no good: others may have
// the new release already.
func (r *Reloading) orPartial(result Result) Result {
	if r.Slot > 0 {
		return ResultPartial
	}
	return result
}

// finish ends the reload with its result: a generation decided it, unless that is
// nil.
func (s *step) finish(result Result, reason string, sl *Slot, g *Generation) {
	r := s.Current
	ended := Event{Kind: KindReloadEnded, Result: result, Reason: reason, Reloads: r.IDs, Elapsed: s.now.Sub(r.BegunAt)}
	if g != nil && g.MainGone {
		e := g.LastStatus
		ended.Exit = &e
	}
	if g != nil {
		ended.Tail = g.Tail
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

// abortReloads answers every request that has no answer yet.
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
