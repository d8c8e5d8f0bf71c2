package lifecycle

import (
	"fmt"
	"slices"
	"time"

	"hupwatch/config"
	"hupwatch/services/release"
)

// abortTimeout is how long an incoming generation that failed, or is not wanted any
// more, has from its stop signal to the KILL.
const abortTimeout = 5 * time.Second

// launch begins the start of a generation. Its release is made first, unless an earlier
// one is reused.
func (s *step) launch(sl *Slot, cause Cause, reuse *release.Release) {
	c := s.Config
	if reuse != nil {
		c = reuse.Service
	}
	s.Attempts++
	sl.Backoff.NextStart = Never
	if sl.Resting != StateDone { // until it is known that there is something to start
		sl.Resting = ""
	}
	sl.Incoming = &Generation{
		Attempt:  s.Attempts,
		Phase:    PhaseResolving,
		Role:     RoleIncoming,
		Cause:    cause,
		BegunAt:  s.now,
		Deadline: s.now.Add(c.StartTimeout),
		Release:  &release.Release{Service: c},
		Proof:    Proof{Next: Never},
	}
	switch cause {
	case CauseReload:
		sl.Incoming.Reloads = s.Current.IDs
		if sl.Active != nil {
			s.observeFor(c, sl.Active)
		}
	case CauseRestart:
		s.Restarts++
		switch {
		case s.fellBack(sl):
			sl.Incoming.Reloads = s.Current.IDs
		case len(sl.Undone) > 0:
			sl.Incoming.Reloads = sl.Probation.Requests
		}
	case CauseStart:
	}
	r := Resolve{Attempt: s.Attempts, Cause: cause, Config: s.Config, Reuse: reuse, Only: cause == CauseReload && reuse != nil}
	if cause != CauseReload && reuse != nil {
		for _, p := range sl.History {
			if p.Well && !p.Release.Same(reuse) && !slices.ContainsFunc(sl.Undone, p.Release.Same) {
				r.Older = append(r.Older, p.Release)
			}
		}
	}
	if sl.Active != nil {
		r.Active, r.Serving = sl.Active.Number, sl.Active.Release
	}
	s.do(r)
}

func (s *step) incoming(attempt int) (*Slot, *Generation) {
	for i := range s.Slots {
		if g := s.Slots[i].Incoming; g != nil && g.Attempt == attempt && g.Phase == PhaseResolving {
			return &s.Slots[i], g
		}
	}
	return nil, nil
}

func (s *step) resolved(in Resolved) {
	sl, g := s.incoming(in.Attempt)
	if g == nil {
		return // given up meanwhile
	}
	if g.Cause == CauseReload {
		s.Current.Made = in.Release
	}
	if in.Reused {
		sl.History, s.keep = sl.History.renewed(in.Release), true
	}
	if s.nothingNew(sl, in.Release) || !in.Reused && s.refusedBefore(sl, in.Release) {
		return
	}
	sl.Resting = ""
	s.Generations++
	g.Number = s.Generations
	g.Release = in.Release
	sl.Paths = in.Paths
	if c := g.service(); len(c.BeforeStart) > 0 && !in.Reused {
		g.Phase = PhasePreparing
		g.Deadline = Never
		g.Hook = s.runHook(config.HookBeforeStart, c.BeforeStart, c.StartTimeout, sl, g)
		return
	}
	s.prepared(sl, g)
}

// prepared goes on with an incoming generation that has all it needs but a process.
func (s *step) prepared(sl *Slot, g *Generation) {
	if sl.Active != nil && g.Cause == CauseReload && s.otherwise(sl, g) {
		return
	}
	if g.service().Reload == config.ReloadStopFirst && sl.draining() > 0 { // it cannot live beside another
		g.Phase, g.Deadline = PhaseWaiting, Never
		return
	}
	g.Phase = PhaseStarting
	g.Deadline = s.now.Add(g.service().StartTimeout)
	s.guard()
	s.do(Launch{Generation: g.Number, Instance: sl.Instance, Release: g.Release, MayWait: s.State() == StateRunning})
}

func (s *step) resolveFailed(in ResolveFailed) {
	if sl, g := s.incoming(in.Attempt); g != nil {
		s.fail(sl, in.Reason)
	}
}

func (s *step) spawned(in Spawned) {
	sl, g := s.find(in.Generation)
	if g == nil || g.PID != 0 {
		return
	}
	g.PID = in.PID
	if g.Phase == PhaseDraining { // it was told to end before it was there
		g.Killed, g.Abandoned = false, false
		s.kill(sl, g, "not wanted any more")
		s.keepSockets() // it has its own by now
	}
}

func (s *step) spawnFailed(in SpawnFailed) {
	sl, g := s.find(in.Generation)
	switch g {
	case nil:
	case sl.Incoming:
		g.MainGone = true
		s.fail(sl, in.Reason)
	default:
		sl.remove(g)
		s.keepSockets()
	}
}

func (s *step) execed(in Execed) {
	sl, g := s.find(in.Generation)
	if g == nil || g.Phase != PhaseStarting {
		return
	}
	g.StartedAt = s.now
	way := s.way(sl)
	begun := Event{Kind: KindStarted}
	if way == WayNone {
		begun.Wait = g.service().Warmup
	}
	s.emit(sl, g, begun)
	switch {
	case way.looked():
		g.Phase = PhaseProving
		s.proveOn(sl)
	case way == WayNotified && !g.Proof.Notified:
		g.Phase = PhaseProving
	default:
		s.warm(sl)
	}
}

// warm begins the warm-up.
func (s *step) warm(sl *Slot) {
	g := sl.Incoming
	g.Phase = PhaseWarming
	g.ReadyAt = s.now
	g.Deadline = s.now.Add(g.service().Warmup)
	g.Proof.Next = Never
	if g.Proof.Way != WayNone && !g.Proof.Needless || g.Proof.Notified {
		s.emit(sl, g, Event{Kind: KindReady, Wait: g.service().Warmup, Elapsed: s.now.Sub(g.StartedAt)})
	}
	s.publishEarly(sl)
}

// advance takes the incoming generation of a slot as far as it may go now.
func (s *step) advance(sl *Slot) {
	g := sl.Incoming
	late := g.Deadline <= s.now
	alive := g.Number == s.warmed // else its process may have ended
	limit := g.service().StartTimeout
	switch g.Phase {
	case PhaseResolving:
		if late {
			s.fail(sl, fmt.Sprintf("its directory, env files or binary could not be read within start_timeout (%s): does the file system answer?", limit))
		}
	case PhasePreparing: // the hook has a deadline of its own
	case PhaseWaiting:
		if sl.draining() == 0 {
			s.prepared(sl, g)
		}
	case PhaseStarting:
		if late {
			s.fail(sl, fmt.Sprintf("its command did not begin within start_timeout (%s)", limit))
		}
	case PhaseProving:
		if late {
			s.outOfTime(sl)
		} else {
			s.proveOn(sl)
		}
	case PhaseWarming:
		s.advanceWarming(sl, late, alive)
	case PhasePublishing:
		if late {
			s.fail(sl, fmt.Sprintf("publish: the file system did not answer within start_timeout (%s)", limit))
		}
	case PhaseOverlapping:
		if late && alive {
			s.handOver(sl)
		}
	case PhaseHandover:
		if late && alive {
			s.promote(sl)
		}
	case PhaseActive, PhaseDraining: // no incoming one is
	}
}

// advanceWarming looks at a generation once more at the end of its warm-up, and lets it
// take over.
func (s *step) advanceWarming(sl *Slot, late, alive bool) {
	again := sl.Incoming.Proof.Again
	switch {
	case !late && again:
		s.proveOn(sl)
	case !late:
	case again && !s.proven(sl):
		s.outOfTime(sl)
	case !s.proven(sl):
		s.proveAgain(sl)
	case alive:
		s.takeOver(sl)
	}
}

// promote is the point of no return: the incoming generation serves, and the old one,
// if there is one, is told to stop.
func (s *step) promote(sl *Slot) {
	g, old := sl.Incoming, sl.Active
	s.activate(sl, g, old)
	if g.service().Ready == nil {
		s.observe(g)
	}
	if old != nil {
		s.show(sl)
		old.Reloads = g.Reloads
		old.MayStop, old.Role = true, RoleOld
		s.retire(sl, old, old.service().StopTimeout)
	}
	s.promoted(sl, g)
}

// activate makes the incoming generation the active one.
func (s *step) activate(sl *Slot, g, old *Generation) {
	result := s.recovers(g)
	sl.Incoming, sl.Active = nil, g
	s.remember(sl, g, old)
	g.Phase, g.Role, sl.Done = PhaseActive, RoleActive, false
	g.ActiveAt = s.now
	g.Deadline, g.Proof.Next = Never, Never
	if old == nil {
		s.publish(sl, g) // it may lead elsewhere by now
	}
	s.emit(sl, g, Event{Kind: KindPromoted, Result: result, Elapsed: s.now.Sub(g.BegunAt)})
}

// recovers says what becomes of a reload that failed, if a generation is promoted that no
// reload asked for: its release serves now, or another one does.
func (s *step) recovers(g *Generation) Result {
	switch {
	case g.Cause == CauseReload, s.Refused == nil:
		return ""
	case s.Refused.Release.Same(g.Release):
		return ResultStarted
	}
	return ResultRolledBack
}

// promoted goes on with the reload that the generation was started for.
func (s *step) promoted(sl *Slot, g *Generation) {
	switch {
	case g.Cause == CauseReload:
		s.instanceDone(sl, g)
	case s.fellBack(sl):
		s.finish(s.Current.orPartial(ResultRolledBack), s.Current.FellBack, sl, g)
	default:
		s.keepSockets()
	}
}

// fail gives up the incoming generation of a slot.
func (s *step) fail(sl *Slot, reason string) {
	g := sl.Incoming
	sl.Incoming = nil
	sl.LastEnd, sl.LastEndAt = g.LastStatus, s.now
	if !g.MainGone || g.PID == 0 {
		sl.LastEnd = Exit{Code: exitNeverRan, Reason: reason}
	}
	s.takeBack(sl, g)
	s.drop(sl, g)
	if g.Cause == CauseReload {
		s.instanceFailed(sl, g, reason)
		return
	}
	s.emit(sl, g, Event{Kind: KindStartFailed, Reason: reason, Tail: g.Tail})
	switch {
	case g.Cause == CauseRestart && len(sl.Undone) > 0 && s.startable() && s.goBack(sl, g, reason):
		if s.fellBack(sl) { // the reload goes on with that
			s.launch(sl, CauseRestart, sl.Good)
		} else {
			s.again(sl, g.service(), true)
		}
		s.keepSockets()
		return
	case g.Cause == CauseStart && s.startable() && s.instead(sl, g, g.Release, reason):
		sl.NextStart, sl.NextCause = s.now, CauseStart
		s.keepSockets()
		return
	}
	s.again(sl, g.service(), false)
	if s.fellBack(sl) {
		s.finish(s.Current.orPartial(ResultFailed), s.Current.FellBack+"; and the release before it: "+reason, sl, g)
		return
	}
	s.keepSockets()
}

// drop ends a generation that never became active, if it has not ended yet.
func (s *step) drop(sl *Slot, g *Generation) {
	g.Aborted = true
	s.killHook(g)
	switch {
	case !g.runs():
		return
	case g.MainGone && !g.LastStatus.Rest:
		s.retract(g)
		return
	}
	s.retire(sl, g, min(abortTimeout, g.service().StopTimeout))
}
