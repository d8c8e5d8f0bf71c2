package rollout

import (
	"slices"

	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// pastWatch is what the checks remember of the releases of an instance.
type pastWatch struct {
	list     []lifecycle.Past // that were promoted, the newest first
	undone   []*release.Release
	requests []uint64          // the requests that promoted what is taken back
	trial    lifecycle.Instant // until then the newest can be taken back; Never while it is, 0 for not at all
}

// pastOf returns that of an instance.
func (a *actor) pastOf(instance int) *pastWatch {
	for len(a.past) <= instance {
		a.past = append(a.past, &pastWatch{})
	}
	return a.past[instance]
}

// target is what is gone back to when these are no good.
func (p *pastWatch) target(bad ...*release.Release) *release.Release {
	var other *release.Release
	for _, past := range p.list {
		isBad := past.Done || slices.ContainsFunc(bad, func(r *release.Release) bool { return r.Same(past.Release) })
		switch {
		case isBad:
		case past.Well:
			return past.Release
		case other == nil:
			other = past.Release
		}
	}
	return other
}

func (p *pastWatch) well(r *release.Release) {
	for i := range p.list {
		p.list[i].Well = p.list[i].Well || p.list[i].Release.Same(r)
	}
}

// done notes that a release was a task that is done.
func (p *pastWatch) done(r *release.Release) {
	p.well(r)
	for i := range p.list {
		p.list[i].Done = p.list[i].Done || p.list[i].Release.Same(r)
	}
}

// newest makes a release the newest.
func (p *pastWatch) newest(r *release.Release) {
	news := []lifecycle.Past{{Release: r}}
	for _, past := range p.list {
		if past.Release.Same(r) {
			news[0].Well, news[0].Done = news[0].Well || past.Well, news[0].Done || past.Done
		} else if len(news) < 5 {
			news = append(news, past)
		}
	}
	p.list = news
}

// promoted takes a promotion, beside what served or without.
func (p *pastWatch) promoted(now lifecycle.Instant, cause lifecycle.Cause, requests []uint64, r, old *release.Release) {
	known := slices.ContainsFunc(p.list, func(past lifecycle.Past) bool { return past.Well && past.Release.Same(r) })
	if old != nil {
		p.replaced(now, old, r)
	}
	p.newest(r)
	if cause == lifecycle.CauseReload {
		p.undone = nil
	}
	if cause == lifecycle.CauseReload || len(p.undone) > 0 {
		p.trial = 0
		isNew := cause == lifecycle.CauseReload && !known || cause == lifecycle.CauseRestart
		if d := r.Service.Probation; d > 0 && isNew && p.target(append(slices.Clone(p.undone), r)...) != nil {
			p.trial, p.requests = now.Add(d), requests
		}
	}
	if p.trial == 0 {
		p.undone = nil
		p.well(r)
	}
}

// replaced notes that a release served until it was told to stop, unless that was for
// the same one while it was on trial.
func (p *pastWatch) replaced(now lifecycle.Instant, old, by *release.Release) {
	if !old.Same(by) || !p.onTrial(now) {
		p.well(old)
	}
}

// expire ends the trial when its time has come.
func (p *pastWatch) expire(now lifecycle.Instant, active *release.Release) {
	if p.trial == 0 || now < p.trial {
		return
	}
	p.trial, p.undone = 0, nil
	if active != nil {
		p.well(active)
	}
}

// expirePasts does so for every instance, as the machine does before it takes what it
// is told.
func (w *world) expirePasts(a *actor) {
	for i := range a.machine.Slots {
		var active *release.Release
		if g := a.machine.Slots[i].Active; g != nil {
			active = a.procs[g.Number-1].release
		}
		a.pastOf(i).expire(w.now, active)
	}
}

// stopPasts notes that what serves is told to stop, or is left, and nothing is taken
// back any more.
func (a *actor) stopPasts(left bool) {
	for i := range a.machine.Slots {
		p := a.pastOf(i)
		if g := a.machine.Slots[i].Active; g != nil && !left {
			p.well(a.procs[g.Number-1].release)
		}
		p.undone, p.trial = nil, 0
	}
}

// checkRolledBack: what goes back to a release before was on probation, or had the old
// generation stopped first; it goes to the newest that served until it was told to
// stop, and further back if that is no good either.
func (w *world) checkRolledBack(a *actor, e lifecycle.Event) {
	m, slot, past := a.machine, a.slot(e.Instance), a.pastOf(e.Instance)
	bad := w.releaseOf(a, e)
	slot.restarts, slot.rolledBack = 0, true
	if m.Current != nil && m.Current.FellBack != "" && m.Current.Slot == e.Instance && e.Reason == m.Current.FellBack && e.Cause == lifecycle.CauseReload {
		if g := m.Slots[e.Instance].Active; g != nil || slot.good == nil || slot.good.Dir != e.ServingRelease {
			w.violated("%s falls back to %s, and that is not what served", m.Name, e.ServingRelease)
		}
		if !slot.good.Same(bad) {
			if m.Slots[e.Instance].Probation.State != lifecycle.ProbationUndone {
				w.violated("%s falls back, and the probation of the release before may end meanwhile", m.Name)
			}
			past.undone, past.trial = append(slices.Clone(past.undone), bad), lifecycle.Never
		}
		past.requests = e.Reloads
		return
	}
	if past.trial == 0 && len(past.undone) == 0 {
		w.violated("%s is rolled back, and nothing was on probation", m.Name)
	}
	w.checkBlame(a, past, e)
	if len(past.undone) == 0 {
		past.list = slices.DeleteFunc(slices.Clone(past.list), func(p lifecycle.Past) bool { return p.Release.Same(bad) })
	}
	past.undone = append(slices.Clone(past.undone), bad)
	past.trial = lifecycle.Never
	w.goesBack(a, e, past.target(past.undone...))
}

// checkInstead: what is started in the place of the release that the file says served
// under an earlier hupwatch.
func (w *world) checkInstead(a *actor, e lifecycle.Event) {
	a.instead, a.slot(e.Instance).rolledBack = true, true
	past := a.pastOf(e.Instance)
	past.undone = append(slices.Clone(past.undone), w.releaseOf(a, e))
	w.goesBack(a, e, past.target(past.undone...))
}

func (w *world) goesBack(a *actor, e lifecycle.Event, want *release.Release) {
	if want == nil || want.Dir != e.ServingRelease {
		w.violated("%s goes back to %s, and not to the newest release that served well", a.machine.Name, e.ServingRelease)
	}
	a.slot(e.Instance).good = want
}

// releaseOf is the release that an event says is no good.
func (w *world) releaseOf(a *actor, e lifecycle.Event) *release.Release {
	if n := e.Generation; n > 0 && n <= len(a.procs) && !a.procs[n-1].ghost {
		return a.procs[e.Generation-1].release
	}
	if i := e.Instance; i < len(a.unborn) && a.unborn[i] != nil {
		return a.unborn[i]
	}
	return &release.Release{Service: a.machine.Config, Dir: e.Release}
}

// failed takes it that a release is no good, and reports whether there is another one to
// go back to. Where there is none, the newest that was good once is tried on: that is
// returned.
func (p *pastWatch) failed(bad *release.Release) (more bool, again *release.Release) {
	undone := append(slices.Clone(p.undone), bad)
	if p.target(undone...) != nil {
		return true, nil
	}
	again = p.target(undone[:1]...)
	p.undone, p.trial = nil, 0
	return false, again
}

// onTrial reports whether what serves can be taken back, and there is something to go
// back to.
func (p *pastWatch) onTrial(now lifecycle.Instant) bool { return now < p.trial }
