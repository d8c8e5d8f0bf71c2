package view

import (
	"slices"
	"time"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
)

// serviceOf says how a service is.
func serviceOf(m *lifecycle.Machine, c clock) control.Service {
	state := m.State()
	s := control.Service{
		Name:     m.Name,
		State:    string(state),
		Wanted:   string(lifecycle.WantedDown),
		Since:    c.at(m.Since),
		Restarts: m.Restarts,
	}
	if m.Up() {
		s.Wanted = string(lifecycle.WantedUp)
	}
	for i := range m.Slots {
		addSlot(&s, m, &m.Slots[i], c)
	}
	switch state {
	case lifecycle.StateWaiting:
		s.Awaits = slices.Clone(m.Awaits)
	case lifecycle.StateStopped, lifecycle.StateStopping:
	default:
		s.Lacking = lackingOf(m, c)
	}
	if state != lifecycle.StateBackoff {
		s.NextStartAt = control.Time{}
	}
	addKnown(&s, m, c)
	return s
}

// addKnown adds what is known of its releases.
func addKnown(s *control.Service, m *lifecycle.Machine, c clock) {
	for _, past := range m.Slots[0].History {
		s.Releases = append(s.Releases, control.Release{Release: past.Release.Dir, Good: past.Well})
	}
	if r := m.Refused; r != nil {
		s.Refused = control.Refused{Release: r.Release.Dir, Error: r.Reason}
	}
	s.Instead = m.Instead
	if m.Looked() {
		s.Unseen = m.Waiting.Unseen
	}
	for i := range m.Slots {
		p := &m.Slots[i].Probation
		if until := c.at(p.Until); p.State == lifecycle.ProbationOn && until.After(s.ProbationUntil.Time) {
			s.ProbationUntil = until
		}
	}
}

func addSlot(s *control.Service, m *lifecycle.Machine, sl *lifecycle.Slot, c clock) {
	if g := sl.Active; g != nil {
		s.Instances = append(s.Instances, control.Instance{
			Instance: sl.Instance, Generation: g.Number, PID: g.PID, Release: g.Release.Dir, Since: c.at(g.ActiveAt),
		})
		if len(s.Instances) == 1 {
			s.Generation, s.PID, s.Release, s.Since = g.Number, g.PID, g.Release.Dir, c.at(g.ActiveAt)
		}
	}
	if sl.Incoming != nil {
		s.Incoming = append(s.Incoming, incomingOf(m, sl, c))
	}
	for _, g := range sl.Draining {
		s.Draining = append(s.Draining, drainingOf(sl, g, c))
	}
	if at := c.at(sl.LastEndAt); at.After(s.LastExit.At.Time) {
		s.LastExit = exitOf(sl.LastEnd, at)
	}
	if at := c.at(sl.NextStart); !at.IsZero() && (s.NextStartAt.IsZero() || at.Before(s.NextStartAt.Time)) {
		s.NextStartAt = at
	}
}

// incomingOf says how far the incoming generation of a slot is.
func incomingOf(m *lifecycle.Machine, sl *lifecycle.Slot, c clock) control.Incoming {
	g := sl.Incoming
	i := control.Incoming{
		Instance: sl.Instance, Generation: g.Number, PID: g.PID, Phase: string(g.Phase), Since: c.at(g.BegunAt), Until: c.at(g.Deadline),
		Status: g.Proof.Status,
	}
	switch g.Phase {
	case lifecycle.PhasePreparing:
		i.Until = c.hookEnd(g)
	case lifecycle.PhaseWaiting:
		for _, old := range sl.Draining {
			i.Until = c.at(old.KillAt)
		}
	case lifecycle.PhaseProving:
		i.Why = m.Lacks(g)
	case lifecycle.PhaseWarming:
		if g.Proof.Asked { // once more, at the end of it
			i.Until = control.Time{}
		}
		if g.Proof.Again {
			i.Why = m.Lacks(g)
		}
	case lifecycle.PhaseHandover:
		if sl.Active != nil {
			i.Until = c.hookEnd(sl.Active)
		}
	default:
	}
	return i
}

// hookEnd is when the time of the hook that runs for a generation is over.
func (c clock) hookEnd(g *lifecycle.Generation) control.Time {
	if g.Hook == nil {
		return control.Time{}
	}
	return c.at(g.Hook.Deadline)
}

func drainingOf(sl *lifecycle.Slot, g *lifecycle.Generation, c clock) control.Draining {
	d := control.Draining{Instance: sl.Instance, Generation: g.Number, PID: g.PID, Since: c.at(g.StoppedAt), KillAt: c.at(g.KillAt), Reloads: g.Reloads}
	switch {
	case g.Abandoned:
		d.KillAt = control.Time{}
	case g.Killed:
		d.KillAt = c.at(g.KilledAt)
	}
	if g.Hook != nil {
		d.Hook = string(g.Hook.Kind)
	}
	return d
}

// lackingOf returns the instances that do not serve, if there are several.
func lackingOf(m *lifecycle.Machine, c clock) []control.Lacking {
	if len(m.Slots) < 2 {
		return nil
	}
	var all []control.Lacking
	for i := range m.Slots {
		sl := &m.Slots[i]
		state := sl.State()
		l := control.Lacking{Instance: sl.Instance, State: string(state)}
		if at := c.at(sl.LastEndAt); !at.IsZero() {
			l.LastExit = exitOf(sl.LastEnd, at)
		}
		switch state {
		case lifecycle.StateRunning, lifecycle.StateDone, lifecycle.StateStopped: // or it is not to be there
			continue
		case lifecycle.StateBackoff:
			l.NextStartAt = c.at(sl.NextStart)
		default:
		}
		all = append(all, l)
	}
	return all
}

func exitOf(e lifecycle.Exit, at control.Time) control.Exit {
	x := control.Exit{Code: e.ShellCode(), At: at, Reason: e.Reason}
	if e.Signal != 0 {
		x.Signal = config.SignalName(e.Signal)
	}
	return x
}

// eventOf says what happened.
func eventOf(e *lifecycle.Event) control.Event {
	c := control.Event{
		Seq: e.Seq, At: control.Time{Time: e.At}, Kind: string(e.Kind),
		Service: e.Service, Instance: e.Instance, Generation: e.Generation, PID: e.PID,
		Role: string(e.Role), Reloads: e.Reloads, Verb: e.Verb, By: e.By, Services: e.Names, Cause: string(e.Cause), Result: string(e.Result), Error: e.Reason, Tail: e.Tail,
		Hook: string(e.Hook), Path: e.Path, Version: e.Version,
		Release: e.Release, Serving: e.Serving, ServingRelease: e.ServingRelease, Seconds: e.Elapsed.Seconds(),
	}
	if e.Signal != 0 {
		c.Signal = config.SignalName(e.Signal)
	}
	if e.Wait > 0 && e.Wait < never {
		c.WaitSeconds = e.Wait.Seconds()
	}
	if e.Exit != nil {
		x := exitOf(*e.Exit, c.At)
		c.Exit = &x
	}
	for result, n := range e.Counts {
		if c.Counts == nil {
			c.Counts = make(map[string]int)
		}
		c.Counts[string(result)] = n
	}
	return c
}

// never is longer than anybody waits.
const never = 100 * 365 * 24 * time.Hour
