package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hupwatch/services/release"
)

// mostReleases is how many of the releases that were promoted are remembered.
const mostReleases = 5

// Past is a release that was promoted once.
type Past struct {
	Release *release.Release
	// Well is set once a generation of it has served until it was told to stop, or was
	// done.
	Well bool
	// Done is set once it was a task that was done.
	Done bool
}

// History is the releases of a slot that were promoted, the newest first.
type History []Past

// promoted returns the history with a release as the newest. A release that is promoted
// again is in it once.
func (h History) promoted(r *release.Release) History {
	now := Past{Release: r}
	older := slices.DeleteFunc(slices.Clone(h), func(p Past) bool {
		same := p.Release.Same(r)
		now.Well, now.Done = now.Well || same && p.Well, now.Done || same && p.Done
		return same
	})
	h = append(History{now}, older...)
	return h[:min(len(h), mostReleases)]
}

// served returns the history with the note that a release served until it was told to
// stop.
func (h History) served(r *release.Release) History {
	h = slices.Clone(h)
	for i := range h {
		h[i].Well = h[i].Well || h[i].Release.Same(r)
	}
	return h
}

// done returns the history with the note that a release was a task that is done.
func (h History) done(r *release.Release) History {
	h = h.served(r)
	for i := range h {
		h[i].Done = h[i].Done || h[i].Release.Same(r)
	}
	return h
}

// without returns the history without a release that failed.
func (h History) without(r *release.Release) History {
	return slices.DeleteFunc(slices.Clone(h), func(p Past) bool { return p.Release.Same(r) })
}

// renewed returns the history in which a release that was written down is replaced by
// the same one made anew: its env files may have other contents now.
func (h History) renewed(r *release.Release) History {
	h = slices.Clone(h)
	for i := range h {
		if old := h[i].Release; old.Stored != nil && old.Service == r.Service && old.Dir == r.Dir {
			h[i].Release = r
		}
	}
	return h
}

// servedWell reports whether a release is known to have served until it was told to
// stop.
func (h History) servedWell(rel *release.Release) bool {
	return slices.ContainsFunc(h, func(p Past) bool { return p.Well && p.Release.Same(rel) })
}

// before returns the release to go back to when these have failed: the newest that
// served well or, if none did, the newest of all; nil if there is no other.
func (h History) before(bad []*release.Release) *release.Release {
	var any *release.Release
	for _, p := range h {
		switch {
		case p.Done, slices.ContainsFunc(bad, p.Release.Same):
		case p.Well:
			return p.Release
		case any == nil:
			any = p.Release
		}
	}
	return any
}

// before returns the release that a slot goes back to if this one fails as well as those
// that are undone; nil if there is none.
func (sl *Slot) before(bad *release.Release) *release.Release {
	return sl.History.before(append(slices.Clone(sl.Undone), bad))
}

// in returns the newest release that ran in a directory; nil if there is none. The end
// of the path is enough if no other directory has the same end.
func (h History) in(dir string) *release.Release {
	var found *release.Release
	for _, p := range h {
		switch {
		case p.Release.Dir == dir:
			return p.Release
		case !strings.HasSuffix(p.Release.Dir, "/"+strings.Trim(dir, "/")):
		case found == nil:
			found = p.Release
		case found.Dir != p.Release.Dir:
			return nil
		}
	}
	return found
}

// String names the directories of the releases, the newest first.
func (h History) String() string {
	if len(h) == 0 {
		return "none"
	}
	var dirs []string
	for _, p := range h {
		if !slices.Contains(dirs, p.Release.Dir) {
			dirs = append(dirs, p.Release.Dir)
		}
	}
	return strings.Join(dirs, ", ")
}

// Probation is the time after a promotion in which the release can still be rolled
// back.
type Probation struct {
	State ProbationState
	Until Instant
	// Requests are those that promoted it.
	Requests []uint64
}

// ProbationState says whether a release can be taken back.
type ProbationState string

// The states; if there is nothing to go back to it is the empty one.
const (
	ProbationOn     ProbationState = "on"
	ProbationUndone ProbationState = "undone" // it is being taken back
)

// on reports whether the release can still be taken back.
func (p *Probation) on(now Instant) bool {
	return p.State == ProbationUndone || p.State == ProbationOn && now < p.Until
}

// deadline is when it cannot be taken back any more.
func (p *Probation) deadline() Instant {
	if p.State == ProbationOn {
		return p.Until
	}
	return Never
}

// Refusal is the release that failed last.
type Refusal struct {
	// Release has only its configuration if it could not even be made.
	Release *release.Release
	Reason  string
}

// remember takes the promotion of a generation into the history, and puts the release
// on probation if there is one to go back to.
func (s *step) remember(sl *Slot, g, old *Generation) {
	known := sl.History.servedWell(g.Release)
	if old != nil {
		s.replaced(sl, old, g.Release)
	}
	sl.History = sl.History.promoted(g.Release)
	sl.Good = g.Release
	s.Booting = false
	asked := g.Cause == CauseReload
	if r := s.Current; r != nil && r.Begun && !asked && sl.Instance < r.Slot && r.Made != nil && !r.Made.Same(g.Release) {
		r.Undone = fmt.Sprintf("instance %d: it ended, and what it was started with is gone: it is started from %s", sl.Instance, g.Release.Dir)
	}
	if asked {
		sl.Undone = nil
		s.reportSettled()
	}
	switch {
	case asked && s.Current.Back: // that is why it serves now
		s.Instead = ""
	case asked, g.Cause == CauseStart && s.Instead == "":
		s.Refused, s.Instead = nil, ""
	}
	onTrial := asked && !known || g.Cause == CauseRestart // else it is no new release
	switch d := g.service().Probation; {
	case !asked && len(sl.Undone) == 0: // a crash does not begin it anew
	case onTrial && d > 0 && sl.before(g.Release) != nil:
		sl.Probation = Probation{State: ProbationOn, Until: s.now.Add(d), Requests: g.Reloads}
	default:
		sl.Probation, sl.Undone = Probation{}, nil
	}
	if sl.Probation.State == "" {
		sl.History = sl.History.served(g.Release)
	}
	s.keep = true
}

// replaced notes that the old release is good, unless it is still on probation and the
// new generation has the same release.
func (s *step) replaced(sl *Slot, old *Generation, by *release.Release) {
	if !old.Release.Same(by) || !sl.Probation.on(s.now) {
		sl.History, s.keep = sl.History.served(old.Release), true
	}
}

// endProbation ends a probation whose time is over. The sockets that only the release
// before had are closed then.
func (s *step) endProbation(sl *Slot) {
	if sl.Probation.State == "" || sl.Probation.on(s.now) {
		return
	}
	sl.Probation, sl.Undone = Probation{}, nil
	if g := sl.Active; g != nil {
		sl.History = sl.History.served(g.Release)
		g.Reloads = nil // what becomes of it now is no part of the reload
		s.keep = true
		s.keepSockets()
	}
}

// rollBack goes back to the release before if the one that ended by itself was on
// probation. It reports whether it does.
func (s *step) rollBack(sl *Slot, g *Generation) bool {
	e := g.LastStatus
	askedFor := e.Signal != 0 && e.Signal == g.Passed
	if !sl.Probation.on(s.now) || askedFor || !s.startable() {
		return false
	}
	reason := fmt.Sprintf("it ended within its probation: %s, %s after it was promoted", e, round(s.now.Sub(g.ActiveAt)))
	if r := s.Current; r != nil && r.Begun && sl.Instance < r.Slot {
		r.Undone = fmt.Sprintf("instance %d: %s", sl.Instance, reason)
	}
	if len(sl.Undone) == 0 { // those before it were good once
		sl.History, s.keep = sl.History.without(g.Release), true
	}
	return s.goBack(sl, g, reason)
}

// goBack makes the release before the failed one the good one again, and tells so; if
// that fails too, the one before that. If none is left it reports false, and the newest
// that was ever promoted is started again and again.
func (s *step) goBack(sl *Slot, g *Generation, reason string) bool {
	sl.Undone = append(slices.Clone(sl.Undone), g.Release)
	if len(sl.Undone) == 1 {
		s.refuse(g, g.Release, reason)
	}
	good := sl.History.before(sl.Undone)
	if good == nil {
		if first := sl.History.before(sl.Undone[:1]); first != nil {
			sl.Good = first
		}
		sl.Probation, sl.Undone = Probation{}, nil
		return false
	}
	sl.Good, sl.Probation.State = good, ProbationUndone
	if !s.fellBack(sl) { // else it is told with the result
		s.afterReload(sl, g, ResultRolledBack, reason)
	}
	promotedFor := append([]uint64{}, sl.Probation.Requests...) // if for none, it is not taken back for another
	s.emit(sl, g, Event{Kind: KindRolledBack, ServingRelease: good.Dir, Reason: reason, Exit: g.exit(), Tail: g.Tail, Reloads: promotedFor})
	return true
}

// refuse notes that a release has failed: it is not started after a reboot either. A
// generation that got no process proves nothing against its release: the host may be at
// fault.
func (s *step) refuse(g *Generation, rel *release.Release, reason string) {
	if g.MainGone && g.PID == 0 {
		return
	}
	s.Refused = &Refusal{Release: rel, Reason: reason}
	if s.Instead != "" { // that is what the file says now
		s.Instead = reason
	}
	s.keep = true
}

// instead starts a service from the newest good release, because the configured one has
// failed. It reports whether there is one.
func (s *step) instead(sl *Slot, g *Generation, bad *release.Release, reason string) bool {
	if !s.Booting || sl.Instance > 0 { // the others follow the first one
		return false
	}
	sl.Undone = append(slices.Clone(sl.Undone), bad)
	good := sl.History.before(sl.Undone)
	if good == nil {
		sl.Good, sl.Undone = sl.History.before(sl.Undone[:1]), nil
		return false
	}
	if s.Instead == "" {
		s.Instead = reason
		s.refuse(g, bad, reason)
	}
	sl.Good = good
	s.emit(sl, g, Event{Kind: KindInstead, Reason: reason, Release: bad.Dir, ServingRelease: good.Dir})
	return true
}

// refusedBefore starts another release than the configured one if hupwatch is starting,
// and the configured one had failed before.
func (s *step) refusedBefore(sl *Slot, configured *release.Release) bool {
	g, refused := sl.Incoming, s.Refused
	if g.Cause != CauseStart || !s.Booting {
		return false
	}
	if len(sl.Undone) > 0 && sl.Good != nil { // it was to be started instead, and is gone
		sl.Undone = append(slices.Clone(sl.Undone), sl.Good)
	}
	switch {
	case refused == nil, !refused.Release.Same(configured), slices.ContainsFunc(sl.Undone, configured.Same):
		return false
	case !s.instead(sl, g, configured, refused.Reason):
		return false
	}
	s.launch(sl, CauseStart, sl.Good)
	return true
}

// settled tells that nothing of a reload can be rolled back any more.
func (s *step) settled() {
	if !slices.ContainsFunc(s.Slots, func(sl Slot) bool { return sl.Probation.State != "" }) {
		s.reportSettled()
	}
}

func (s *step) reportSettled() {
	if len(s.Settling) > 0 {
		s.emit(nil, nil, Event{Kind: KindSettled, Reloads: s.Settling})
		s.Settling = nil
	}
}

// mayUndo is how long a promoted release can still be rolled back.
func (s *step) mayUndo() time.Duration {
	longest := time.Duration(0)
	for i := range s.Slots {
		if p := &s.Slots[i].Probation; p.on(s.now) {
			longest = max(longest, p.deadline().Sub(s.now))
		}
	}
	return longest
}

// Record is what is known of a service that outlives a reboot.
type Record struct {
	History History
	Refused *Refusal
	Waiting Waiting
}

// record is the Record of the service; its history is that of the first instance.
func (m *Machine) record() Record {
	return Record{History: m.Slots[0].History, Refused: m.Refused, Waiting: m.Waiting}
}
