package rollout

import (
	"maps"
	"slices"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// stop stops every service, or leaves them running if at_exit says so.
func (r *Rollout) stop(in Stop) []Effect {
	by := "signal " + in.Signal
	if r.ending {
		return []Effect{ignored(by, "hupwatch is shutting down already")}
	}
	leave := r.Config.Daemon.AtExit == config.AtExitLeave && in.Signal != "INT"
	why, told := lifecycle.StopShutdown, lifecycle.Event{Kind: lifecycle.KindEnding, By: by}
	if in.Signal == "INT" {
		told.Reason = "a second INT kills what is left then"
	}
	if leave {
		why, told.Kind = lifecycle.StopLeave, lifecycle.KindLeaving
	}
	return r.end(in.Now, why, told)
}

// downForGood stops everything because an essential service is down, with its exit
// code.
func (r *Rollout) downForGood(in DownForGood) []Effect {
	if r.ending {
		return nil
	}
	r.code = in.Code
	return r.end(in.Now, lifecycle.StopShutdown, lifecycle.Event{Kind: lifecycle.KindEnding, Reason: "the essential service " + in.Service + " is down for good"})
}

// end stops every service within shutdown_timeout.
func (r *Rollout) end(now lifecycle.Instant, why lifecycle.StopCause, told lifecycle.Event) []Effect {
	r.ending = true
	r.unstopped = make(map[string]bool)
	for name := range r.declared {
		r.stopping[name], r.unstopped[name] = true, true
	}
	effects := append([]Effect{Emit{told}}, r.rejectAll()...)
	effects = append(effects, r.abortLater()...)
	r.last = lifecycle.Stop{Until: now.Add(r.Config.Daemon.ShutdownTimeout), Why: why}
	effects = append(effects, r.endNext()...)
	return append(effects, r.finishIfDone()...)
}

// abortLater answers for the services that were to be asked later: they are stopped
// anyway now, in the same order.
func (r *Rollout) abortLater() []Effect {
	var effects []Effect
	for _, id := range slices.Sorted(maps.Keys(r.requests)) {
		q := r.requests[id]
		names := q.later
		q.later = nil
		for _, name := range names {
			effects = append(effects, r.answered(Answered{name, lifecycle.Answer{IDs: []uint64{id}, Result: lifecycle.ResultAborted, Reason: "hupwatch is shutting down"}})...)
		}
	}
	return effects
}

// endNext stops the services on which no running one depends any more.
func (r *Rollout) endNext() []Effect {
	var effects []Effect
	for _, name := range sorted(r.unstopped) {
		if r.last.Why != lifecycle.StopLeave && r.order.inTheWay(name, r.stopping) {
			continue
		}
		delete(r.unstopped, name)
		effects = append(effects, Tell{name, r.last})
	}
	return effects
}

// kill ends everything at once.
func (r *Rollout) kill() []Effect {
	var effects []Effect
	for _, name := range sorted(r.unstopped) {
		effects = append(effects, Tell{name, r.last})
	}
	clear(r.unstopped)
	for _, name := range sorted(r.declared) {
		effects = append(effects, Tell{name, lifecycle.Kill{}})
	}
	return effects
}

func (r *Rollout) finishIfDone() []Effect {
	if !r.ending || len(r.stopping) > 0 {
		return nil
	}
	return []Effect{Finish{r.code}}
}
