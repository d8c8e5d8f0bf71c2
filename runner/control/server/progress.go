package server

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"hupwatch/runner/control"
	"hupwatch/services"
)

// progress is how far a request is, as its events tell.
type progress struct {
	id   uint64
	done bool
	// drains are the generations that were told to stop for it and have not gone.
	drains map[generation]drain
	// begun are the services that it has begun for, answered those it is over for.
	begun, answered map[string]bool
	told            map[spot]state
}

// generation names one of them.
type generation struct {
	service          string
	instance, number int
}

type drain struct {
	pid    int
	killAt time.Time // zero for never
}

func newProgress(id uint64) *progress {
	return &progress{
		id: id, drains: make(map[generation]drain),
		begun: make(map[string]bool), answered: make(map[string]bool), told: make(map[spot]state),
	}
}

// take takes an event, and says whether it belongs to the request.
func (p *progress) take(e control.Event) bool {
	g := generation{e.Service, e.Instance, e.Generation}
	_, drains := p.drains[g]
	mine := slices.Contains(e.Reloads, p.id)
	switch services.Kind(e.Kind) {
	case services.KindRequestDone:
		p.done = p.done || mine
	case services.KindReloadBegun:
		p.begun[e.Service] = p.begun[e.Service] || mine
	case services.KindReloadEnded, services.KindAnswered:
		p.answered[e.Service] = p.answered[e.Service] || mine
	case services.KindStopSignalled:
		if mine {
			p.drains[g] = drain{e.PID, killTime(e)}
		}
	case services.KindExited, services.KindEnded, services.KindAbandoned, services.KindLeft:
		delete(p.drains, g)
	default:
	}
	return mine || drains
}

func killTime(e control.Event) time.Time {
	if e.WaitSeconds == 0 {
		return time.Time{}
	}
	return e.At.Add(time.Duration(e.WaitSeconds * float64(time.Second)))
}

// catchUp finds out what events that never came would have said.
func (p *progress) catchUp(d Daemon) {
	r, ok := d.Reload(p.id)
	if !ok { // it is forgotten, and so long ago that nothing of it can be left
		p.done = true
		clear(p.drains)
		return
	}
	p.done = p.done || r.Done
	now := make(map[string]control.Service)
	for _, s := range r.Services {
		now[s.Name], _ = d.Service(s.Name)
	}
	maps.DeleteFunc(p.drains, func(g generation, _ drain) bool {
		s, ok := now[g.service]
		if !ok {
			s, _ = d.Service(g.service)
		}
		return !lives(s, g)
	})
	for name, s := range now {
		for _, old := range s.Draining {
			if slices.Contains(old.Reloads, p.id) {
				p.drains[generation{name, old.Instance, old.Generation}] = drain{old.PID, old.KillAt.Time}
			}
		}
	}
}

// lives says whether a generation is in the status of its service, in whatever
// phase: that may lag behind the events.
func lives(s control.Service, g generation) bool {
	return slices.ContainsFunc(s.Draining, func(o control.Draining) bool { return o.Instance == g.instance && o.Generation == g.number }) ||
		slices.ContainsFunc(s.Instances, func(o control.Instance) bool { return o.Instance == g.instance && o.Generation == g.number }) ||
		slices.ContainsFunc(s.Incoming, func(o control.Incoming) bool { return o.Instance == g.instance && o.Generation == g.number })
}

// over says whether the client has what it wanted to wait for.
func (p *progress) over(q control.Request) bool {
	return q.NoWait || p.done && (q.NoDrain || len(p.drains) == 0)
}

// draining tells about the generations that drain.
func (p *progress) draining(now time.Time, count func(pid int) connections) []control.Event {
	var events []control.Event
	for g, d := range p.drains {
		e := control.Event{
			At: control.Time{Time: now}, Kind: control.KindDraining, Reloads: []uint64{p.id},
			Service: g.service, Instance: g.instance, Generation: g.number, PID: d.pid,
		}
		if !d.killAt.IsZero() {
			e.WaitSeconds = max(d.killAt.Sub(now).Seconds(), 0)
		}
		if c := count(d.pid); c.known {
			e.Connections = &c.n
		}
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b control.Event) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Generation, b.Generation))
	})
	return events
}

// connections is how many connections a process holds.
type connections struct {
	n     int
	known bool
}
