package runner

import (
	"strings"
	"time"

	"hupwatch/runner/control"
	"hupwatch/services"
)

// clock says when an Instant was, for people.
type clock struct {
	wall time.Time
	now  services.Instant
}

// at returns that moment; none for Never and for what has not happened.
func (c clock) at(i services.Instant) control.Time {
	if i == 0 || i == services.Never {
		return control.Time{}
	}
	return control.Time{Time: c.wall.Add(i.Sub(c.now))}
}

// serviceOf says how a service is.
func serviceOf(m *services.Machine, c clock) control.Service {
	s := control.Service{
		Name:      m.Name,
		State:     string(m.State()),
		Wanted:    string(services.WantedDown),
		Since:     c.at(m.Since),
		Restarts:  m.Restarts,
		Instances: []control.Instance{},
		Incoming:  []control.Incoming{},
		Draining:  []control.Draining{},
	}
	if m.Up() {
		s.Wanted = string(services.WantedUp)
	}
	for i := range m.Slots {
		addSlot(&s, &m.Slots[i], c)
	}
	if s.State != string(services.StateBackoff) {
		s.NextStartAt = control.Time{}
	}
	return s
}

func addSlot(s *control.Service, sl *services.Slot, c clock) {
	if g := sl.Active; g != nil {
		s.Instances = append(s.Instances, control.Instance{Instance: sl.Instance, Generation: g.Number, PID: g.PID})
		if len(s.Instances) == 1 {
			s.Generation, s.PID, s.Release, s.Since = g.Number, g.PID, g.Release.Dir, c.at(g.ActiveAt)
		}
	}
	if g := sl.Incoming; g != nil {
		s.Incoming = append(s.Incoming, control.Incoming{
			Instance: sl.Instance, Generation: g.Number, PID: g.PID, Phase: string(g.Phase), Since: c.at(g.BegunAt), Until: c.at(g.Deadline),
		})
	}
	for _, g := range sl.Draining {
		d := control.Draining{Instance: sl.Instance, Generation: g.Number, PID: g.PID, Since: c.at(g.StoppedAt), KillAt: c.at(g.KillAt), Reloads: g.Reloads}
		if g.Killed {
			d.KillAt = c.at(g.KilledAt)
		}
		s.Draining = append(s.Draining, d)
	}
	if at := c.at(sl.LastEndAt); at.After(s.LastExit.At.Time) {
		s.LastExit = exitOf(sl.LastEnd, at)
	}
	if at := c.at(sl.NextStart); !at.IsZero() && (s.NextStartAt.IsZero() || at.Before(s.NextStartAt.Time)) {
		s.NextStartAt = at
	}
}

func exitOf(e services.Exit, at control.Time) control.Exit {
	x := control.Exit{Code: e.ShellCode(), At: at, Reason: e.Reason}
	if e.Signal != 0 {
		x.Signal = services.SignalName(e.Signal)
	}
	return x
}

// eventOf says what happened.
func eventOf(e *services.Event) control.Event {
	c := control.Event{
		Seq: e.Seq, At: control.Time{Time: e.At}, Kind: string(e.Kind),
		Service: e.Service, Instance: e.Instance, Generation: e.Generation, PID: e.PID,
		Reloads: e.Reloads, By: e.By, Cause: string(e.Cause), Result: string(e.Result), Error: e.Reason, Tail: e.Tail,
		Release: e.Release, Seconds: e.Elapsed.Seconds(),
	}
	if e.Kind == services.KindRequest && e.Reason != "" {
		c.Services, c.Error = strings.Split(e.Reason, ","), ""
	}
	if e.Kind == services.KindRequestDone && e.Reason != "" {
		c.Error = "not done: " + e.Reason
	}
	if e.Signal != 0 {
		c.Signal = services.SignalName(e.Signal)
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
