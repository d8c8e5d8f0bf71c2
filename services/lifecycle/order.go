package lifecycle

import (
	"slices"
	"strings"
)

// await takes the services that must be ready before this one is started. If it is up,
// it stays so, and is started again after a crash without waiting.
func (s *step) await(in Await) {
	names, failed := in.Names, in.Failed
	if s.isUp() {
		names, failed = nil, nil
	}
	s.Failed = failed
	if slices.Equal(s.Awaits, names) {
		return
	}
	s.Awaits = names
	if s.held() && s.WantedUp && !s.allDone() {
		s.tellAwaits(nil)
	}
}

// tellAwaits tells what the service waits for, and which requests wait for it.
func (s *step) tellAwaits(requests []uint64) {
	s.emit(nil, nil, Event{Kind: KindAwaits, Names: slices.Clone(s.Awaits), Reloads: requests})
}

// held reports whether other services must be ready first.
func (m *Machine) held() bool {
	return len(m.Awaits) > 0 && !m.isUp()
}

// answerHeld answers the requests that wait for a service which failed: nobody knows how
// long that will be. The service itself goes on waiting, and is started after that one.
func (s *step) answerHeld() {
	for s.held() && len(s.Failed) > 0 && s.Current != nil && !s.Current.Begun {
		r := s.Current
		s.returnTurn(r)
		s.Current, s.Next = s.Next, nil
		if sl := &s.Slots[0]; sl.Active == nil && sl.Incoming == nil && sl.NextStart == Never {
			sl.Backoff.clear()
			sl.Resting, sl.NextStart, sl.NextCause = "", s.now, CauseStart
		}
		reason := "what it depends on failed: " + strings.Join(s.Failed, ", ") + "; it is started once that is ready"
		s.do(Answer{IDs: r.IDs, Result: ResultFailed, Reason: reason})
	}
}

// triesAgain is called when the service is asked to start or reload: the coordinator
// takes it then that it may become ready, and is told if that is not so.
func (s *step) triesAgain() { s.ToldFailed = false }

// isUp reports whether anything of the service serves, or is about to.
func (m *Machine) isUp() bool {
	return slices.ContainsFunc(m.Slots, func(sl Slot) bool { return sl.Active != nil || sl.Incoming != nil })
}

// tellDependents tells the services that depend on this one whether they may start: it
// serves, is done, or is not wanted. It has failed if it is not started any more, or if
// what it waits for itself has failed.
func (s *step) tellDependents() {
	state := s.State()
	ready := s.serves() || !s.WantedUp || state == StateDone
	failed := !ready && s.Current == nil && (state == StateFailed || s.held() && len(s.Failed) > 0)
	if ready != s.ToldReady || failed != s.ToldFailed {
		s.ToldReady, s.ToldFailed = ready, failed
		s.do(TellDependents{ready, failed})
	}
}
