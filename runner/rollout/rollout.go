// Package rollout decides which service reloads, when, and with which configuration.
package rollout

import (
	"fmt"
	"maps"
	"slices"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// Rollout is what that is decided by, as plain data. Step takes one input and returns
// effects, as the Step of a lifecycle.Machine does, and nothing else changes it.
type Rollout struct {
	Config *config.Config
	// runtimeDir and stateDir are those that hupwatch began with, whatever the file
	// says now.
	runtimeDir, stateDir string
	// known is what an earlier hupwatch knew of each service.
	known map[string]lifecycle.Record

	declared map[string]bool   // every service that has a watcher, and whether the file names it
	files    map[string]string // of the configuration, in which these are

	// readings are the reads of the file that are still to be done; the first one is
	// under way.
	readings []reading
	// ConfigError is why the file was refused when it was last read.
	ConfigError string
	claiming    bool // a claim of the name file is under way
	reclaim     bool // and another was asked for since

	requests map[uint64]*request
	LastID   uint64

	order order

	queue []Turn // asked for, in order
	held  []Turn

	ending    bool
	code      int             // to end with
	stopping  map[string]bool // services that have not ended yet
	unstopped map[string]bool // of those, the ones that were not told to yet
	last      lifecycle.Stop  // what they are told then
}

// nameFileDefault is the name file in runtime_dir by default.
const nameFileDefault = "reload"

// New returns a rollout that knows no service.
func New() *Rollout {
	return &Rollout{
		declared: make(map[string]bool),
		files:    make(map[string]string),
		requests: make(map[uint64]*request),
		stopping: make(map[string]bool),
		order:    newOrder(),
	}
}

// Step takes one input and returns what is to be done, in that order.
func (r *Rollout) Step(in Input) []Effect {
	switch in := in.(type) {
	case Boot:
		return r.boot(in)
	case Asked:
		return r.asked(in)
	case Hangup:
		return r.hangup()
	case NamesAsked:
		return r.namesAsked()
	case NamesClaimed:
		return r.namesClaimed(in)
	case ConfigRead:
		return r.configRead(in)
	case TurnAsked:
		r.queue = append(r.queue, in.Turn)
		return r.grant()
	case TurnReturned:
		is := func(t Turn) bool { return t == in.Turn }
		r.queue = slices.DeleteFunc(r.queue, is)
		r.held = slices.DeleteFunc(r.held, is)
		return r.grant()
	case Answered:
		return r.answered(in)
	case Ended:
		delete(r.stopping, in.Service)
		return append(r.endNext(), r.finishIfDone()...)
	case DependencyReady:
		return r.dependencyReady(in)
	case DownForGood:
		return r.downForGood(in)
	case Stop:
		return r.stop(in)
	case Kill:
		return r.kill()
	}
	return nil
}

// boot starts the services, all at once: max_parallel is about reloads.
func (r *Rollout) boot(in Boot) []Effect {
	c := in.Config
	r.known = in.Known
	r.Config, r.runtimeDir, r.stateDir = c, c.Daemon.RuntimeDir, c.Daemon.StateDir
	r.order.learn(c)
	effects := []Effect{Apply{c.Daemon}}
	for _, s := range c.Services {
		r.declared[s.Name], r.files[s.Name] = true, c.Files[s.Name]
		wanted := in.Wanted[s.Name]
		if wanted == lifecycle.WantedDown { // nothing else tells why it does not come up
			effects = append(effects, Emit{lifecycle.Event{
				Kind: lifecycle.KindAdvice, Service: s.Name, Reason: "it was stopped on request and stays so: hupwatch start " + s.Name + " brings it up",
			}})
		}
		effects = append(effects, Add{s, r.known[s.Name]})
		effects = append(effects, r.hold(s)...)
		effects = append(effects, Tell{s.Name, lifecycle.Start{Wanted: wanted}})
	}
	return effects
}

func (r *Rollout) hangup() []Effect {
	if r.ending {
		return []Effect{ignored("signal HUP", "hupwatch is shutting down")}
	}
	return r.readFile(reading{signal: Demand{What: VerbReload, By: "signal HUP"}})
}

// asked takes a request of a client. To stop a service, to signal it or to roll it back
// needs no look at the file.
func (r *Rollout) asked(in Asked) []Effect {
	switch {
	case r.ending:
		return []Effect{tooLate(in)}
	case in.What == VerbStop, in.What == VerbSignal, in.What == VerbRollback:
		return r.directly(in)
	}
	return r.readFile(reading{asked: []Asked{in}})
}

// directly asks the services without a look at the file.
func (r *Rollout) directly(in Asked) []Effect {
	names := in.Names
	if names == nil {
		for _, name := range sorted(r.declared) {
			if r.declared[name] {
				names = append(names, name)
			}
		}
	}
	var unknown []string
	for _, name := range names {
		if !r.declared[name] {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return []Effect{unknownTo(r.Config, in, unknown)}
	}
	q, effects := r.begin(in)
	for _, name := range names {
		if q.waiting[name] {
			continue // named twice
		}
		q.waiting[name] = true
		q.later = append(q.later, name)
	}
	effects = append(effects, r.askNext(q)...)
	return append(effects, r.doneIfAnswered(q)...)
}

// askNext asks those services of a request that are in nobody's way any more: what
// depends on a service is stopped before it.
func (r *Rollout) askNext(q *request) []Effect {
	var effects []Effect
	q.later = slices.DeleteFunc(q.later, func(name string) bool {
		if q.What == VerbStop && r.order.inTheWay(name, q.waiting) {
			return false
		}
		effects = append(effects, Tell{name, q.forService(q.id, nil)})
		return true
	})
	return effects
}

func (r *Rollout) namesAsked() []Effect {
	switch {
	case r.ending:
		return []Effect{ignored("signal USR2", "hupwatch is shutting down")}
	case r.claiming:
		r.reclaim = true
		return nil
	}
	r.claiming = true
	return []Effect{ClaimNames{}}
}

func (r *Rollout) namesClaimed(in NamesClaimed) []Effect {
	r.claiming = false
	var effects []Effect
	if r.reclaim {
		r.reclaim, r.claiming = false, true
		effects = append(effects, ClaimNames{})
	}
	switch {
	case in.Err != nil:
		return append(effects, refused("signal USR2", in.Err.Error()))
	case r.ending:
		return append(effects, ignored("signal USR2", "hupwatch is shutting down"))
	}
	return append(effects, r.readFile(reading{signal: Demand{What: VerbReload, By: "signal USR2", Names: in.Names}})...)
}

// begin makes a request of what was asked.
func (r *Rollout) begin(a Asked) (*request, []Effect) {
	r.LastID++
	q := newRequest(r.LastID, a.Demand)
	r.requests[q.id] = q
	effects := []Effect{Emit{lifecycle.Event{Kind: lifecycle.KindRequest, Reloads: []uint64{q.id}, By: a.By, Verb: string(a.What), Names: a.Names}}}
	if a.Token != 0 {
		effects = append(effects, Accepted{a.Token, q.id})
	}
	return q, effects
}

func (r *Rollout) doneIfAnswered(q *request) []Effect {
	if len(q.waiting) > 0 {
		return nil
	}
	delete(r.requests, q.id)
	return []Effect{Emit{q.summary()}}
}

func (r *Rollout) answered(in Answered) []Effect {
	var effects []Effect
	if a := in.Answer; !a.Told {
		e := lifecycle.Event{
			Kind: lifecycle.KindAnswered, Service: in.Service, Reloads: a.IDs, Result: a.Result, Reason: a.Reason, Generation: a.Generation, PID: a.PID,
		}
		if a.Generation != 0 {
			e.Role = lifecycle.RoleActive
		}
		effects = append(effects, Emit{e})
	}
	for _, id := range in.Answer.IDs {
		q := r.requests[id]
		if q == nil || !q.waiting[in.Service] { // a bug, but no reason to end what serves
			effects = append(effects, Emit{lifecycle.Event{Kind: lifecycle.KindTrouble, Service: in.Service, Reason: fmt.Sprintf("answered reload %d, which did not wait for it", id)}})
			continue
		}
		q.answer(in.Service, in.Answer)
		effects = append(effects, r.askNext(q)...)
		effects = append(effects, r.doneIfAnswered(q)...)
	}
	return effects
}

func ignored(by, reason string) Effect {
	return Emit{lifecycle.Event{Kind: lifecycle.KindIgnored, By: by, Reason: reason}}
}

func refused(by, reason string) Effect {
	return Emit{lifecycle.Event{Kind: lifecycle.KindRefused, By: by, Reason: reason}}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
