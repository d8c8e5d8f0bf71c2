package lifecycle

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"hupwatch/config"
)

// Ending is a Stop being carried out.
type Ending struct {
	IDs   []uint64
	Until Instant
	Final bool
	// Leave is set if hupwatch ends without it: what is wanted stays so.
	Leave bool
	// Asked is set if somebody asked for it: it can be undone. Again are the
	// requests to start the service when it is done.
	Asked bool
	Again []uint64
	Said  bool // Ended was given
	// Silent is set if there is nothing to tell about its end.
	Silent bool
}

// stop ends every generation of the service.
func (s *step) stop(in Stop) {
	if s.Ending != nil && s.Ending.Final {
		return
	}
	reason := "the service was removed from the file"
	if in.Final {
		reason = "hupwatch ends"
	}
	s.answerEnding(ResultAborted, reason)
	silent := s.Ending != nil && s.Ending.Said
	s.Ending = &Ending{Until: in.Until, Final: in.Final, Leave: in.Leave, Silent: silent || in.Leave}
	if in.ID != 0 {
		s.Ending.IDs = []uint64{in.ID}
	}
	s.abortReloads(reason)
	if in.Final {
		s.killAfter()
	}
	if in.Leave {
		for i := range s.Slots {
			s.leave(&s.Slots[i])
		}
	}
	s.stopSlots()
}

func (s *step) stopSlots() {
	s.Observing, s.Instead, s.Booting = 0, "", false
	if !s.Ending.Final { // else the next hupwatch goes by it
		s.Waiting = Waiting{}
	}
	for i := range s.Slots {
		s.stopSlot(&s.Slots[i])
	}
}

// leave lets go of what serves and of what drains: it lives on without hupwatch.
func (s *step) leave(sl *Slot) {
	left := slices.Clone(sl.Draining)
	if sl.Active != nil {
		left = append(left, sl.Active)
	}
	for _, g := range left {
		if g.Aborted || g.PID == 0 {
			continue
		}
		s.killHook(g)
		s.emit(sl, g, Event{Kind: KindLeft, Reason: fmt.Sprintf("it lives on; kill %d ends it", g.PID)})
		sl.remove(g)
		if sl.Active == g {
			sl.Active = nil
		}
	}
}

func (s *step) stopSlot(sl *Slot) {
	var asked []uint64
	if s.Ending != nil {
		asked = slices.Concat(s.Ending.IDs, s.Ending.Again)
	}
	sl.Backoff.clear()
	sl.Resting = ""
	sl.Good = nil
	sl.Probation, sl.Undone = Probation{}, nil
	if g := sl.Incoming; g != nil {
		sl.Incoming = nil
		g.Reloads = asked
		s.drop(sl, g)
	}
	if g := sl.Active; g != nil {
		sl.Active = nil
		sl.History, s.keep = sl.History.served(g.Release), true
		g.Reloads = asked
		s.retire(sl, g, g.service().StopTimeout)
	}
	for _, g := range sl.Draining {
		if s.Ending == nil {
			break
		}
		g.KillAt = min(g.KillAt, s.Ending.Until)
		if g.PID == 0 && g.abandoned() { // its process may be there by now
			g.KilledAt = s.now
		}
	}
}

// retire tells a generation, or what is left of it, to end, and gives it so much
// time. If the drain slots are taken, what is only a leftover gets none.
func (s *step) retire(sl *Slot, g *Generation, timeout time.Duration) {
	full := sl.draining() >= s.Config.MaxDraining
	g.Phase = PhaseDraining
	g.StoppedAt = s.now
	g.KillAt = s.killAt(timeout)
	sl.Draining = append(sl.Draining, g)
	s.guard()
	switch {
	case g.PID == 0: // killed as soon as it is there
	case !g.MainGone && !g.Aborted && !g.Stopping && len(g.service().BeforeStop) > 0:
		g.KillAt = s.killAt(config.Infinity)
		s.beforeStop(sl, g)
	case full && (g.MainGone || g.Aborted) && s.Ending == nil:
		s.kill(sl, g, "max_draining: others still drain")
	case g.MainGone:
		s.emit(sl, g, Event{Kind: KindMainGone, Wait: g.KillAt.Sub(s.now)})
		s.signal(sl, g, true)
	default:
		s.signal(sl, g, g.service().KillMode == config.KillGroup)
	}
}

// stopNow goes on with the end of a generation whose before_stop has run.
func (s *step) stopNow(sl *Slot, g *Generation) {
	g.KillAt = s.killAt(g.service().StopTimeout)
	s.signal(sl, g, g.service().KillMode == config.KillGroup)
}

// killAt is when what is told to end now, and has so long for it, gets KILL.
func (s *step) killAt(timeout time.Duration) Instant {
	at := Never
	if timeout != config.Infinity {
		at = s.now.Add(timeout)
	}
	if s.Ending != nil {
		at = min(at, s.Ending.Until)
	}
	return at
}

func (s *step) signal(sl *Slot, g *Generation, group bool) {
	g.Signalled = g.service().StopSignal
	s.do(Signal{Generation: g.Number, Signal: g.Signalled, Group: group, Deputy: g.Deputy})
	s.emit(sl, g, Event{Kind: KindStopSignalled, Signal: g.Signalled, Wait: g.KillAt.Sub(s.now)})
}

// kill sends KILL to everything of a generation; if its process is still on
// the way, once it is there.
func (s *step) kill(sl *Slot, g *Generation, reason string) {
	if g.Killed {
		return
	}
	g.Killed = true
	g.KilledAt = s.now
	s.killHook(g)
	if g.PID == 0 {
		return
	}
	s.do(Signal{Generation: g.Number, Signal: syscall.SIGKILL, Group: true})
	s.emit(sl, g, Event{Kind: KindKilled, Reason: reason})
}

func (s *step) killAll() {
	for i := range s.Slots {
		for _, g := range s.Slots[i].Draining {
			s.kill(&s.Slots[i], g, "asked to end now")
		}
	}
}

// drained is called when the main process of a draining generation ended.
func (s *step) drained(sl *Slot, g *Generation) {
	if !g.LastStatus.Rest {
		s.gone(sl, g)
		return
	}
	if g.Killed {
		return
	}
	early := g.Signalled == 0 // its before_stop still ran
	if early {
		g.Signalled = g.service().StopSignal
		g.KillAt = s.killAt(g.service().StopTimeout)
	}
	s.emit(sl, g, Event{Kind: KindMainGone, Wait: g.KillAt.Sub(s.now)})
	if early || g.service().KillMode != config.KillGroup { // else the rest has had it
		s.do(Signal{Generation: g.Number, Signal: g.service().StopSignal, Group: true})
	}
}

// emptied is called when the last process of a generation's group has gone.
func (s *step) emptied(in Emptied) {
	sl, g := s.find(in.Generation)
	if g == nil || !g.MainGone {
		return
	}
	s.gone(sl, g)
}

func (s *step) gone(sl *Slot, g *Generation) {
	sl.remove(g)
	s.retract(g)
	if path := g.service().Publish; path != "" && !slices.Contains(s.publishes(), path) {
		s.keepSockets() // nobody else was there any more
	}
	e := g.LastStatus
	s.emit(sl, g, Event{Kind: KindExited, Exit: &e, Elapsed: s.now.Sub(g.StoppedAt)})
}

func (sl *Slot) remove(g *Generation) {
	sl.Draining = slices.DeleteFunc(sl.Draining, func(d *Generation) bool { return d == g })
}

// finishEnding says that a stop is done when nothing of the service lives.
func (s *step) finishEnding() {
	if s.Ending == nil || s.Ending.Said || !s.allGone() {
		return
	}
	s.Ending.Said = true
	again := s.Ending.Again
	if len(again) == 0 { // else who connects meanwhile waits
		s.keepSockets()
	}
	if !s.Ending.Silent {
		s.emit(nil, nil, Event{Kind: KindStopped, Reloads: slices.Concat(s.Ending.IDs, again)})
	}
	s.Ending.Again = nil
	s.answerEnding(ResultStopped, "")
	switch {
	case s.Ending.Final: // a service that was only removed can come back
		s.do(Ended{})
	case s.Ending.Asked:
		s.Ending = nil
	}
	if len(again) > 0 {
		s.Under = &Run{IDs: again}
		s.begin()
	}
}

// allGone reports whether nothing is waited for any more: no generation lives, or
// those that do cannot be killed.
func (s *step) allGone() bool {
	for i := range s.Slots {
		for _, g := range s.Slots[i].generations() {
			if !g.abandoned() {
				return false
			}
		}
	}
	return true
}

// answerEnding answers who asked for the stop, and who asked for what was to come
// after it.
func (s *step) answerEnding(r Result, reason string) {
	if s.Ending == nil {
		return
	}
	if len(s.Ending.IDs) > 0 {
		s.do(Answer{IDs: s.Ending.IDs, Result: r, Reason: reason})
	}
	s.abort(s.Ending.Again, reason)
	s.Ending.IDs, s.Ending.Again = nil, nil
}
