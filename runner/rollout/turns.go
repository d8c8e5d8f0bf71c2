package rollout

import "hupwatch/services/lifecycle"

// Turn is one service's claim to be among those that reload.
type Turn struct {
	Service string
	Ticket  int
}

// grant gives turns to those who asked first, as many as max_parallel allows.
func (r *Rollout) grant() []Effect {
	var effects []Effect
	for len(r.queue) > 0 && len(r.held) < r.Config.Daemon.MaxParallel {
		t := r.queue[0]
		r.queue = r.queue[1:]
		r.held = append(r.held, t)
		effects = append(effects, Tell{t.Service, lifecycle.Turn{Ticket: t.Ticket}})
	}
	return effects
}
