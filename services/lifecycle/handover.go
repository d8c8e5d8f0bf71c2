package lifecycle

import (
	"time"

	"hupwatch/config"
)

// A generation that is ready, and has stayed so for its warm-up, takes over in these
// steps. A step with nothing to do is left out.
//
//	publishing    the public path leads to it; the old one accepts what came before
//	overlapping   both serve
//	handover      before_stop of the old one runs
//	promote       the old one gets its stop signal: the point of no return
//
// If anything goes wrong before that, the path leads to the old one again, and that
// serves on.

// QueuePatience is how long the connections that wait for the old generation have to be
// accepted, once new ones go to the new one. What is in its queue at its end is lost.
const QueuePatience = 10 * time.Second

// takeOver begins these steps.
func (s *step) takeOver(sl *Slot) {
	g := sl.Incoming
	if g.service().Publish == "" || sl.Instance > 0 {
		s.handOver(sl)
		return
	}
	g.Phase = PhasePublishing
	g.Deadline = s.now.Add(g.service().StartTimeout).Add(QueuePatience)
	s.publish(sl, g)
}

// publish makes the public path of a service lead to a generation. A service with
// several instances has no public path: if there is a second one, it is about to go.
func (s *step) publish(sl *Slot, g *Generation) {
	if path := g.service().Publish; path != "" && sl.Instance == 0 {
		e := Publish{Generation: g.Number, Path: path}
		if g.Phase == PhasePublishing && sl.Active != nil {
			e.Old = sl.Active.Number
		}
		s.do(e)
	}
}

// publishEarly publishes a generation during its warm-up if nothing else serves.
func (s *step) publishEarly(sl *Slot) {
	if g := sl.Incoming; g != nil && g.Phase == PhaseWarming && sl.Active == nil {
		s.publish(sl, g)
	}
}

// published goes on once the public path leads to a generation.
func (s *step) published(in Published) {
	sl, g := s.find(in.Generation)
	switch {
	case g == nil || g.Phase == PhaseDraining:
	case in.Failure != "" && g == sl.Incoming:
		s.fail(sl, "publish: "+in.Failure)
	case in.Failure != "":
		s.emit(sl, g, Event{Kind: KindTrouble, Reason: "publish: " + in.Failure})
	case g != sl.Incoming:
	default:
		if !g.Published {
			g.Published = true
			s.emit(sl, g, Event{Kind: KindPublished})
		}
		if g.Phase != PhasePublishing {
			return
		}
		g.Phase = PhaseOverlapping
		g.Deadline = s.now
		if sl.Active != nil {
			g.Deadline = s.now.Add(g.service().Overlap)
		}
	}
}

// unopposed goes on with an incoming generation when the active one has ended by
// itself: nothing else serves.
func (s *step) unopposed(sl *Slot) {
	s.publishEarly(sl)
	s.show(sl)
	if g := sl.Incoming; g != nil && (g.Phase == PhaseOverlapping || g.Phase == PhaseHandover) {
		g.Phase, g.Deadline = PhaseOverlapping, s.now
	}
}

// handOver runs before_stop of the old generation, if there are both.
func (s *step) handOver(sl *Slot) {
	g, old := sl.Incoming, sl.Active
	if old == nil || old.MayStop || len(old.service().BeforeStop) == 0 {
		s.promote(sl)
		return
	}
	g.Phase = PhaseHandover
	g.Deadline = Never
	s.beforeStop(sl, old)
}

func (s *step) beforeStop(sl *Slot, g *Generation) {
	if g.Hook == nil {
		g.Hook = s.runHook(config.HookBeforeStop, g.service().BeforeStop, g.service().StopTimeout, sl, g)
	}
}

// takeBack lets the old generation serve as before, as far as that had been changed.
func (s *step) takeBack(sl *Slot, g *Generation) {
	old := sl.Active
	if old == nil {
		return
	}
	s.killHook(old)
	old.MayStop = false
	if g.Phase == PhasePublishing || g.Published {
		s.publish(sl, old)
	}
	if len(sl.Paths) > 0 && g.PID != 0 {
		s.do(Restore{})
	}
}
