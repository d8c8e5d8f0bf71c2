package lifecycle

import (
	"fmt"

	"hupwatch/config"
	"hupwatch/services/release"
)

// up starts the service, and keeps it wanted up.
func (s *step) up(in Up) {
	if s.isGone(in.ID) {
		return
	}
	s.Config = in.Config
	s.WantedUp, s.Commanded = true, true
	if e := s.Stopping; e != nil {
		if len(e.Again) > 0 {
			e.Again = append(e.Again, in.ID)
			return
		}
		s.answerEnding(ResultAborted, "it was started again meanwhile")
		s.Stopping = nil
	}
	if s.serves() {
		s.do(Answer{IDs: []uint64{in.ID}, Result: ResultSkipped, Reason: "it runs already", Generation: s.Slots[0].Active.Number, PID: s.Slots[0].Active.PID})
		return
	}
	s.demand(in.ID, Reloading{Up: true})
}

// down stops the service, and keeps it wanted down.
func (s *step) down(in Down) {
	if s.isGone(in.ID) {
		return
	}
	const reason = "it was stopped meanwhile"
	s.WantedUp, s.Commanded = false, true
	if e := s.Stopping; e != nil {
		s.abort(e.Again, reason)
		e.Why, e.Again, e.IDs = StopAsked, nil, append(e.IDs, in.ID)
		return
	}
	s.Stopping = &Stopping{Why: StopAsked, IDs: []uint64{in.ID}, Until: Never}
	s.abortReloads(reason)
	s.stopSlots()
}

// restart stops the service and starts it when nothing of it is left. Requests that are
// waiting are answered by that start. If nothing of it runs, the service is stopped all
// the same: it must not be started by itself before its turn comes.
func (s *step) restart(in Restart) {
	if s.isGone(in.ID) {
		return
	}
	s.Config = in.Config
	s.WantedUp, s.Commanded = true, true
	if s.Stopping != nil {
		s.Stopping.Why, s.Stopping.Again = StopRestart, append(s.Stopping.Again, in.ID)
		return
	}
	again := []uint64{in.ID}
	if r := s.Current; r != nil {
		s.returnTurn(r)
		again = append(again, r.IDs...)
	}
	if r := s.Next; r != nil {
		again = append(again, r.IDs...)
	}
	s.Current, s.Next = nil, nil
	s.Stopping = &Stopping{Why: StopRestart, Until: Never, Again: again, Silent: s.living() == 0}
	s.stopSlots()
}

// rollBackTo asks for a release that served before, as a reload asks for a new one.
func (s *step) rollBackTo(in RollBack) {
	if s.isGone(in.ID) {
		return
	}
	sl := &s.Slots[0]
	var now []*release.Release
	if sl.Good != nil {
		now = append(now, sl.Good)
	}
	made := sl.History.before(now)
	if in.To != "" {
		made = sl.History.in(in.To)
	}
	reason := ""
	switch {
	case !s.WantedUp:
		reason = s.WhyDown()
	case s.Stopping != nil || s.Current != nil:
		reason = "something else was asked of it and is under way; try again when that has ended"
	case made == nil && in.To != "":
		reason = fmt.Sprintf("no release in %s served before; it has %s", in.To, sl.History)
	case made != nil && made.Service.Reload == config.ReloadSignal:
		reason = `it reloads itself (reload = "signal"): no other release is ever started by hupwatch`
	case made == nil:
		reason = "no other release is known to have served before"
	}
	if reason != "" {
		a := Answer{IDs: []uint64{in.ID}, Result: ResultFailed, Reason: reason}
		if g := sl.Active; g != nil {
			a.Result, a.Generation, a.PID = ResultKeptOld, g.Number, g.PID
		}
		s.do(a)
		return
	}
	s.demand(in.ID, Reloading{Back: true, Made: made})
}

// forward passes a signal on to what serves.
func (s *step) forward(in Forward) {
	a := Answer{IDs: []uint64{in.ID}, Result: ResultFailed, Reason: "nothing of it runs that could be signalled"}
	for i := range s.Slots {
		g := s.Slots[i].Active
		if g == nil {
			continue
		}
		g.Passed = in.Signal
		s.do(Pass{Generation: g.Number, Signal: in.Signal, MainPID: g.MainPID})
		s.emit(&s.Slots[i], g, Event{Kind: KindForwarded, Signal: in.Signal, Reloads: a.IDs})
		a.Result, a.Reason, a.Generation, a.PID = ResultSignalled, "", g.Number, g.PID
	}
	s.do(a)
}

// isGone reports whether the service can do nothing any more, and aborts the request
// then.
func (s *step) isGone(id uint64) bool {
	switch {
	case s.Stopping == nil || s.Stopping.Why.asked():
		return false
	case s.Stopping.Why.Final():
		s.abort([]uint64{id}, "hupwatch is shutting down")
	default:
		s.abort([]uint64{id}, "the service was removed from the file")
	}
	return true
}

func (s *step) abort(ids []uint64, reason string) {
	if len(ids) > 0 {
		s.do(Answer{IDs: ids, Result: ResultAborted, Reason: reason})
	}
}
