package server

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"hupwatch/runner/control"
)

// progress is how far a request is, as its events tell.
type progress struct {
	id   uint64
	done bool
	// drains are the generations that were told to stop for it and have not gone.
	drains map[generation]drain
	// begun are the services that it has begun for, answered those it is over for.
	begun, answered map[string]bool
	// settling are the services whose new release can still be taken back. undoing is
	// where the release before is being started again.
	settling map[string]bool
	undoing  map[spot]bool
	told     map[spot]state
}

// generation names one of them.
type generation struct {
	service          string
	instance, number int
}

type drain struct {
	pid    int
	role   string
	killAt time.Time // zero for never
}

func newProgress(id uint64) *progress {
	return &progress{
		id: id, drains: make(map[generation]drain),
		begun: make(map[string]bool), answered: make(map[string]bool),
		settling: make(map[string]bool), undoing: make(map[spot]bool), told: make(map[spot]state),
	}
}

// take takes an event, and reports whether it belongs to the request.
func (p *progress) take(e control.Event) bool {
	g := generation{e.Service, e.Instance, e.Generation}
	_, drains := p.drains[g]
	mine := slices.Contains(e.Reloads, p.id)
	switch e.Kind {
	case control.KindRequestDone:
		p.done = p.done || mine
	case control.KindReloadBegun:
		p.begun[e.Service] = p.begun[e.Service] || mine
	case control.KindReloadEnded, control.KindAnswered:
		if mine {
			p.ended(e)
		}
	case control.KindSettled:
		if mine {
			delete(p.settling, e.Service)
		}
	case control.KindStopped:
		delete(p.settling, e.Service)
		p.undone(e.Service)
	case control.KindRolledBack:
		if mine {
			delete(p.settling, e.Service)
			p.undoing[spot{e.Service, e.Instance}] = true
		}
	case control.KindPromoted, control.KindGivenUp:
		delete(p.undoing, spot{e.Service, e.Instance})
	case control.KindRestart:
		if e.WaitSeconds > 0 { // it is no good either
			delete(p.undoing, spot{e.Service, e.Instance})
		}
	case control.KindStopSignalled:
		if mine {
			p.drains[g] = drain{e.PID, e.Role, killTime(e)}
		}
	case control.KindExited, control.KindEnded, control.KindDone, control.KindAbandoned, control.KindLeft:
		delete(p.drains, g)
	default:
	}
	return mine || drains
}

// ended takes the result for a service.
func (p *progress) ended(e control.Event) {
	p.answered[e.Service] = true
	if e.Kind == control.KindReloadEnded && e.WaitSeconds > 0 && !p.undoes(e.Service) {
		p.settling[e.Service] = true
	}
	switch e.Result {
	case control.ResultFailed, control.ResultRolledBack: // whatever is tried next
		p.undone(e.Service)
	default:
	}
}

// undoes reports whether the previous release of a service is being started again.
func (p *progress) undoes(service string) bool {
	for where := range p.undoing {
		if where.service == service {
			return true
		}
	}
	return false
}

func (p *progress) undone(service string) {
	maps.DeleteFunc(p.undoing, func(where spot, _ bool) bool { return where.service == service })
}

func killTime(e control.Event) time.Time {
	if e.WaitSeconds == 0 {
		return time.Time{}
	}
	return e.At.Add(time.Duration(e.WaitSeconds * float64(time.Second)))
}

// catchUp finds out what the lost events would have said.
func (p *progress) catchUp(d Daemon) {
	r, ok := d.Reload(p.id)
	if !ok { // it is forgotten: so old that nothing of it can be left
		p.done = true
		clear(p.drains)
		return
	}
	p.done = p.done || r.Done
	now := make(map[string]control.Service)
	clear(p.settling)
	clear(p.undoing)
	for _, s := range r.Services {
		now[s.Name], _ = d.Service(s.Name)
		p.promoted(s, now[s.Name])
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
				p.drains[generation{name, old.Instance, old.Generation}] = drain{pid: old.PID, killAt: old.KillAt.Time}
			}
		}
	}
}

// promoted finds out whether the new release of a service can still be taken back, or
// is being taken back.
func (p *progress) promoted(s control.ServiceReload, now control.Service) {
	if s.Reload != now.LastReload.Reload {
		return
	}
	switch s.Result {
	case control.ResultRolledBack:
		if state := now.State; state == control.StateStarting || state == control.StateBackoff {
			p.undoing[spot{s.Name, s.Instance}] = true
		}
	case control.ResultPromoted, control.ResultStarted, control.ResultPartial:
		if !now.ProbationUntil.IsZero() {
			p.settling[s.Name] = true
		}
	default:
	}
}

// lives reports whether a generation is in the status of its service, in any phase:
// the status may lag behind the events.
func lives(s control.Service, g generation) bool {
	return slices.ContainsFunc(s.Draining, func(o control.Draining) bool { return o.Instance == g.instance && o.Generation == g.number }) ||
		slices.ContainsFunc(s.Instances, func(o control.Instance) bool { return o.Instance == g.instance && o.Generation == g.number }) ||
		slices.ContainsFunc(s.Incoming, func(o control.Incoming) bool { return o.Instance == g.instance && o.Generation == g.number })
}

// over reports whether the client has what it wanted to wait for.
func (p *progress) over(q control.Request) bool {
	settled := len(p.undoing) == 0 && (!q.Probation || len(p.settling) == 0)
	return q.NoWait || p.done && settled && (q.NoDrain || len(p.drains) == 0)
}

// draining returns events about the generations that drain.
func (p *progress) draining(now time.Time, count func(pid int) connections) []control.Event {
	var events []control.Event
	for g, d := range p.drains {
		e := control.Event{
			At: control.Time{Time: now}, Kind: control.KindDraining, Reloads: []uint64{p.id},
			Service: g.service, Instance: g.instance, Generation: g.number, PID: d.pid, Role: d.role,
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
