package lifecycle

import (
	"fmt"

	"hupwatch/config"
	"hupwatch/services/release"
)

// exited is called when the main process of a generation has ended.
func (s *step) exited(in Exited) {
	sl, g := s.find(in.Generation)
	if g == nil || g.MainGone {
		return
	}
	g.MainGone = true
	g.LastStatus = in.Exit
	switch g {
	case sl.Incoming:
		if s.doneEarly(sl) {
			s.finishTask(sl)
			return
		}
		reason := g.early(s.now)
		if in.InUse && !g.notListening() {
			reason += "; " + g.inUse(sl)
		}
		s.fail(sl, reason)
	case sl.Active:
		s.killHook(g)
		s.crashed(sl, g)
		s.unopposed(sl)
	default:
		s.killHook(g)
		s.drained(sl, g)
	}
}

// crashed is called when the active generation has ended by itself.
func (s *step) crashed(sl *Slot, g *Generation) {
	sl.Active = nil
	e := g.LastStatus
	sl.LastEnd, sl.LastEndAt = e, s.now
	kind := KindEnded
	if sl.done(g) {
		kind = KindDone
	}
	s.emit(sl, g, Event{Kind: kind, Exit: g.exit(), Elapsed: s.now.Sub(g.ReadyAt)})
	if e.Rest {
		s.retire(sl, g, g.service().StopTimeout)
	} else {
		s.retract(g)
	}
	s.signalledEnded(sl, g)
	switch c := g.service(); {
	case sl.done(g):
		s.retireDone(sl, g)
	case c.Restart == config.RestartNo, c.Restart == config.RestartOnFailure && e.clean(c, 0):
		s.giveUp(sl, c, fmt.Sprintf("restart = %q", c.Restart))
	default:
		calmRun := s.now.Sub(g.ReadyAt) >= calm
		s.again(sl, c, s.rollBack(sl, g) || calmRun)
	}
}

// again schedules the next start after an end.
func (s *step) again(sl *Slot, c *config.Service, calmRun bool) {
	if !s.startable() {
		return
	}
	sl.Resting = ""
	if c.Restart == config.RestartNo {
		s.giveUp(sl, c, `restart = "no"`)
		return
	}
	sl.NextCause = CauseRestart
	delay, ok := sl.Backoff.end(s.now, c, calmRun)
	switch {
	case !ok:
		s.giveUp(sl, c, "restart_limit: ended too often in a row")
	case sl.Incoming == nil:
		s.emit(sl, nil, Event{Kind: KindRestart, Wait: delay})
	}
}

// giveUp leaves a slot as it is that ended otherwise than it was meant to. If another
// generation is to take the place of the one that ended, that one decides.
func (s *step) giveUp(sl *Slot, c *config.Service, why string) {
	if sl.Incoming != nil {
		return
	}
	closed := s.rest(sl, c, StateFailed)
	if c.Restart == config.RestartNo && c.Essential { // hupwatch ends, and says so
		return
	}
	s.emit(sl, nil, Event{Kind: KindGivenUp, Reason: why + "; mend it, then reload" + closed})
}

// rest leaves a slot as it is until somebody asks for it. If that was the last one that
// needed the sockets of the service, they are closed, and it returns what to say of it.
func (s *step) rest(sl *Slot, c *config.Service, state State) (closed string) {
	sl.Resting = state
	s.keepSockets()
	if len(c.Listen) > 0 && len(s.listens()) == 0 {
		return "; until then its addresses refuse connections"
	}
	return ""
}

// restartDue starts a generation if one is due.
func (s *step) restartDue(sl *Slot) {
	if !s.startable() || s.held() || sl.Active != nil || sl.Incoming != nil || sl.NextStart > s.now {
		return
	}
	good := s.good(sl)
	if first := &s.Slots[0]; good == nil && first.Good == nil && sl != first {
		if !first.made() {
			sl.NextStart = Never // it follows that
			s.keepSockets()
			return
		}
		good = first.Incoming.Release
	}
	s.launch(sl, sl.NextCause, good)
}

// good is the release that an instance is started with again. An instance that never
// had one gets that of another, if that release is meant for so many instances.
func (s *step) good(sl *Slot) *release.Release {
	switch {
	case sl.Done: // what the file says is tried again
		return nil
	case sl.Good != nil:
		return sl.Good
	}
	for i := range s.Slots {
		if good := s.Slots[i].Good; good != nil && good.Service.Instances > sl.Instance {
			return good
		}
	}
	return nil
}

// downForGood tells, once, that an essential service does not serve and is not going to
// be started.
func (s *step) downForGood(sl *Slot) {
	down := sl.Active == nil && sl.Incoming == nil && sl.Resting != ""
	if !down || !s.Config.Essential || !s.startable() || s.Current != nil || s.ToldDownForGood {
		return
	}
	s.ToldDownForGood = true
	s.do(DownForGood{Code: sl.LastEnd.ShellCode()})
}
