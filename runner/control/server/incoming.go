package server

import (
	"slices"
	"strings"
	"time"

	"hupwatch/runner/control"
)

// spot is where something may be incoming.
type spot struct {
	service  string
	instance int
}

// state is what a client was told last about what is incoming there, or waits.
type state struct {
	generation         int
	phase, why, status string
	until              time.Time
}

// incoming returns events about what is incoming for the request, and about services
// that wait for others before they come up, if there is news of them: the other events
// do not say everything.
func (p *progress) incoming(now time.Time, all []control.Service, names []string) []control.Event {
	var events []control.Event
	tell := func(s state, e control.Event) {
		where := spot{e.Service, e.Instance}
		if p.told[where] != s {
			p.told[where] = s
			e.At, e.Reloads = control.Time{Time: now}, []uint64{p.id}
			events = append(events, e)
		}
	}
	for _, s := range all {
		switch {
		case p.answered[s.Name] && !p.undoes(s.Name), names != nil && !slices.Contains(names, s.Name):
		case p.begun[s.Name]:
			for _, g := range s.Incoming {
				e := control.Event{
					Kind: control.KindIncoming, Service: s.Name, Instance: g.Instance, Generation: g.Generation, PID: g.PID, Role: control.RoleIncoming,
					Phase: g.Phase, Error: g.Why, Status: g.Status,
				}
				if !g.Until.IsZero() {
					e.WaitSeconds = max(g.Until.Sub(now).Seconds(), 0)
				}
				tell(state{g.Generation, g.Phase, g.Why, g.Status, g.Until.Round(time.Second)}, e)
			}
		case len(s.Awaits) > 0:
			tell(state{why: strings.Join(s.Awaits, ",")}, control.Event{Kind: control.KindAwaits, Service: s.Name, Services: s.Awaits})
		}
	}
	return events
}
