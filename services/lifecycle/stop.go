package lifecycle

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"hupwatch/config"
)

// abandonAfter is how long a generation is waited for after its KILL: a process in
// uninterruptible sleep does not die of it.
const abandonAfter = 5 * time.Second

// Stopping is a stop of the service under way.
type Stopping struct {
	Why   StopCause
	IDs   []uint64
	Until Instant
	// Again are the requests to start the service when it is done.
	Again []uint64
	Done  bool
	// Silent is set if its end is not to be told.
	Silent bool
}

// StopCause is why a service is stopped.
type StopCause string

// The causes.
const (
	StopRemoved  StopCause = "removed"  // it is not in the file any more, and may come back
	StopAsked    StopCause = "stop"     // somebody asked for it, and may ask otherwise
	StopRestart  StopCause = "restart"  // likewise, and it is started again when all of it has gone
	StopShutdown StopCause = "shutdown" // hupwatch ends
	StopLeave    StopCause = "leave"    // hupwatch ends, and what serves or drains lives on
)

// Final reports whether nothing can follow.
func (c StopCause) Final() bool { return c == StopShutdown || c == StopLeave }

// asked reports whether somebody asked for it.
func (c StopCause) asked() bool { return c == StopAsked || c == StopRestart }

// stop ends every generation of the service.
func (s *step) stop(in Stop) {
	if s.Stopping != nil && s.Stopping.Why.Final() {
		return
	}
	reason := "the service was removed from the file"
	if in.Why.Final() {
		reason = "hupwatch is shutting down"
	}
	s.answerEnding(ResultAborted, reason)
	silent := s.Stopping != nil && s.Stopping.Done
	s.Stopping = &Stopping{Why: in.Why, Until: in.Until, Silent: silent || in.Why == StopLeave}
	if in.ID != 0 {
		s.Stopping.IDs = []uint64{in.ID}
	}
	s.abortReloads(reason)
	if in.Why.Final() {
		s.killAfter()
	}
	if in.Why == StopLeave {
		for i := range s.Slots {
			s.leave(&s.Slots[i])
		}
	}
	s.stopSlots()
}

func (s *step) stopSlots() {
	s.Observing, s.Instead, s.Booting = 0, "", false
	if !s.Stopping.Why.Final() { // else the next hupwatch goes by it
		s.Waiting = Waiting{}
	}
	for i := range s.Slots {
		s.stopSlot(&s.Slots[i])
	}
}

// leave lets go of the generations that serve or drain: they live on without hupwatch.
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
	if s.Stopping != nil {
		asked = slices.Concat(s.Stopping.IDs, s.Stopping.Again)
	}
	sl.Backoff.clear()
	sl.Resting = ""
	sl.Good, sl.Done = nil, false
	sl.Probation, sl.Undone = Probation{}, nil
	if g := sl.Incoming; g != nil {
		sl.Incoming, g.Role = nil, RoleOld
		g.Reloads = asked
		s.drop(sl, g)
	}
	if g := sl.Active; g != nil {
		sl.Active, g.Role = nil, RoleOld
		sl.History, s.keep = sl.History.served(g.Release), true
		g.Reloads = asked
		s.retire(sl, g, g.service().StopTimeout)
	}
	for _, g := range sl.Draining {
		if s.Stopping == nil {
			break
		}
		g.KillAt = min(g.KillAt, s.Stopping.Until)
		if g.PID == 0 && g.Abandoned { // its process may be there by now
			g.KilledAt, g.Abandoned = s.now, false
		}
	}
}

// retire tells a generation, or the rest of one, to end within the timeout. If
// max_draining others drain already, a rest gets KILL at once.
func (s *step) retire(sl *Slot, g *Generation, timeout time.Duration) {
	full := sl.draining() >= s.Config.MaxDraining
	g.Phase = PhaseDraining
	g.StoppedAt = s.now
	g.KillAt = s.killAt(timeout)
	sl.Draining = append(sl.Draining, g)
	s.guard()
	switch {
	case g.PID == 0: // killed as soon as it is there
	case !g.MainGone && !g.Aborted && !g.MayStop && len(g.service().BeforeStop) > 0:
		g.KillAt = s.killAt(config.Infinity)
		s.beforeStop(sl, g)
	case full && (g.MainGone || g.Aborted) && s.Stopping == nil:
		s.kill(sl, g, "max_draining: others still drain")
	case g.MainGone:
		s.emit(sl, g, Event{Kind: KindMainGone, Wait: g.KillAt.Sub(s.now)})
		s.signal(sl, g, true)
	default:
		s.signal(sl, g, g.service().KillMode == config.KillGroup)
	}
}

// stopNow sends the stop signal to a generation whose before_stop has ended.
func (s *step) stopNow(sl *Slot, g *Generation) {
	g.KillAt = s.killAt(g.service().StopTimeout)
	s.signal(sl, g, g.service().KillMode == config.KillGroup)
}

// killAt is when a generation that is told to end now, and has that timeout, gets KILL.
func (s *step) killAt(timeout time.Duration) Instant {
	at := Never
	if timeout != config.Infinity {
		at = s.now.Add(timeout)
	}
	if s.Stopping != nil {
		at = min(at, s.Stopping.Until)
	}
	return at
}

func (s *step) signal(sl *Slot, g *Generation, group bool) {
	g.Signalled = g.service().StopSignal
	s.do(Signal{Generation: g.Number, Signal: g.Signalled, Group: group, MainPID: g.MainPID})
	s.emit(sl, g, Event{Kind: KindStopSignalled, Signal: g.Signalled, Wait: g.KillAt.Sub(s.now)})
}

// kill sends KILL to the whole group of a generation. If its process is not there yet,
// it gets KILL as soon as it is.
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

// expireDraining kills what drains and whose time is over, and lets go of what has
// survived even that.
func (s *step) expireDraining(sl *Slot) {
	for _, g := range slices.Clone(sl.Draining) {
		switch {
		case !g.Killed && g.KillAt <= s.now:
			s.kill(sl, g, "still there when its time was over")
		case g.Killed && !g.Abandoned && g.KilledAt.Add(abandonAfter) <= s.now:
			g.Abandoned = true
			s.emit(sl, g, Event{Kind: KindAbandoned})
		}
	}
}

func (s *step) killAll() {
	for i := range s.Slots {
		for _, g := range s.Slots[i].Draining {
			s.kill(&s.Slots[i], g, "asked to end now")
		}
	}
}

// drained is called when the main process of a draining generation has ended.
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

// emptied is called when the last process of the group of a generation has ended.
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
	s.emit(sl, g, Event{Kind: KindExited, Exit: g.exit(), Elapsed: s.now.Sub(g.StoppedAt)})
}

func (sl *Slot) remove(g *Generation) {
	sl.Draining = slices.DeleteFunc(sl.Draining, func(d *Generation) bool { return d == g })
}

// finishEnding ends the stop once no generation of the service is waited for any more.
func (s *step) finishEnding() {
	if s.Stopping == nil || s.Stopping.Done || !s.allGone() {
		return
	}
	s.Stopping.Done = true
	again := s.Stopping.Again
	if len(again) == 0 { // else who connects meanwhile waits
		s.keepSockets()
	}
	if !s.Stopping.Silent {
		s.emit(nil, nil, Event{Kind: KindStopped, Reloads: slices.Concat(s.Stopping.IDs, again)})
	}
	s.Stopping.Again = nil
	s.answerEnding(ResultStopped, "")
	switch {
	case s.Stopping.Why.Final(): // a service that was only removed can come back
		s.do(Ended{})
	case s.Stopping.Why.asked():
		s.Stopping = nil
	}
	if len(again) > 0 {
		s.Current = &Reloading{IDs: again}
		s.begin()
	}
}

// allGone reports whether no generation is waited for any more: none is left, or those
// that are cannot be killed.
func (s *step) allGone() bool {
	for i := range s.Slots {
		for _, g := range s.Slots[i].generations() {
			if !g.Abandoned {
				return false
			}
		}
	}
	return true
}

// answerEnding answers the requests for the stop, and aborts those for what was to
// follow it.
func (s *step) answerEnding(r Result, reason string) {
	if s.Stopping == nil {
		return
	}
	if len(s.Stopping.IDs) > 0 {
		s.do(Answer{IDs: s.Stopping.IDs, Result: r, Reason: reason})
	}
	s.abort(s.Stopping.Again, reason)
	s.Stopping.IDs, s.Stopping.Again = nil, nil
}
