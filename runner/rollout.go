package runner

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"hupwatch/config"
	"hupwatch/services"
)

// rollout decides who reloads, when, and with which configuration. It is a pure
// function over plain data, as a services.Machine is: step takes one input and
// returns effects, and nothing else changes it.
type rollout struct {
	config *config.Config
	// runtimeDir is the one hupwatch began with, whatever the file says now.
	runtimeDir string

	declared map[string]bool // every service that has a watcher, and whether the file names it

	// purposes are the reads of the file that are still to come; the first one
	// is under way.
	purposes []purpose
	claiming bool // a claim of the name file is under way
	reclaim  bool // and another was asked for since

	requests map[uint64]*request
	lastID   uint64

	queue []turn // asked for, in order
	held  []turn

	ending bool
	code   int             // to end with
	unruly map[string]bool // services that have not ended yet
}

// purpose is why the file is read: for all services, or for these.
type purpose struct {
	by    string
	names []string // nil for all
}

// nameFileDefault is where in runtime_dir the name file is by default.
const nameFileDefault = "reload"

func newRollout() *rollout {
	return &rollout{
		declared: make(map[string]bool),
		requests: make(map[uint64]*request),
		unruly:   make(map[string]bool),
	}
}

func (r *rollout) step(in input) []effect {
	switch in := in.(type) {
	case boot:
		return r.boot(in.config)
	case hangup:
		return r.hangup()
	case namesAsked:
		return r.namesAsked()
	case namesClaimed:
		return r.namesClaimed(in)
	case configRead:
		return r.configRead(in)
	case turnAsked:
		r.queue = append(r.queue, in.turn)
		return r.grant()
	case turnReturned:
		is := func(t turn) bool { return t == in.turn }
		r.queue = slices.DeleteFunc(r.queue, is)
		r.held = slices.DeleteFunc(r.held, is)
		return r.grant()
	case answered:
		return r.answered(in)
	case ended:
		delete(r.unruly, in.service)
		return r.finishIfDone()
	case downForGood:
		return r.downForGood(in)
	case stop:
		return r.stop(in)
	case kill:
		return r.tellAll(services.Kill{})
	}
	return nil
}

// boot brings up the services: all at once, for max_parallel is about reloads.
func (r *rollout) boot(c *config.Config) []effect {
	r.config, r.runtimeDir = c, c.Daemon.RuntimeDir
	effects := []effect{apply{c.Daemon}}
	for _, s := range c.Services {
		r.declared[s.Name] = true
		effects = append(effects, add{s}, tell{s.Name, services.Start{}})
	}
	return effects
}

func (r *rollout) hangup() []effect {
	if r.ending {
		return []effect{ignored("signal HUP", "hupwatch ends")}
	}
	return r.read(purpose{by: "signal HUP"})
}

// read has the file read once for each purpose, one after the other. What has
// not begun yet covers a later one of the same kind.
func (r *rollout) read(p purpose) []effect {
	if len(r.purposes) > 0 && p.names == nil {
		for _, q := range r.purposes[1:] {
			if q.names == nil {
				return nil
			}
		}
	}
	r.purposes = append(r.purposes, p)
	if len(r.purposes) > 1 {
		return nil
	}
	return []effect{readConfig{}}
}

func (r *rollout) namesAsked() []effect {
	switch {
	case r.ending:
		return []effect{ignored("signal USR2", "hupwatch ends")}
	case r.claiming:
		r.reclaim = true
		return nil
	}
	r.claiming = true
	return []effect{claimNames{}}
}

func (r *rollout) namesClaimed(in namesClaimed) []effect {
	r.claiming = false
	var effects []effect
	if r.reclaim {
		r.reclaim, r.claiming = false, true
		effects = append(effects, claimNames{})
	}
	switch {
	case in.err != nil:
		return append(effects, refused("signal USR2", in.err.Error()))
	case r.ending:
		return append(effects, ignored("signal USR2", "hupwatch ends"))
	}
	return append(effects, r.read(purpose{by: "signal USR2", names: in.names})...)
}

// configRead goes on with what the file was read for.
func (r *rollout) configRead(in configRead) []effect {
	p := r.purposes[0]
	r.purposes = r.purposes[1:]
	var effects []effect
	switch {
	case r.ending:
		return nil
	case in.config == nil:
		for _, problem := range in.problems {
			if !problem.Warning {
				effects = append(effects, emit{services.Event{Kind: services.KindConfigError, By: p.by, Reason: problem.String()}})
			}
		}
		effects = append(effects, refused(p.by, fmt.Sprintf("the configuration has %s, nothing was changed; hupwatch check -c %s tells them too", count(effects), r.config.File)))
	default:
		effects = r.reload(p, in.config)
	}
	if len(r.purposes) > 0 {
		effects = append(effects, readConfig{})
	}
	return effects
}

// reload makes the file so read come true for the services it was read for.
func (r *rollout) reload(p purpose, c *config.Config) []effect {
	var unknown []string
	for _, name := range p.names {
		if _, ok := c.Service(name); !ok {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if len(unknown) > 0 {
		return []effect{refused(p.by, fmt.Sprintf("no such service in %s: %s; nothing was reloaded; it has %s", c.File, strings.Join(unknown, ", "), some(c.Services)))}
	}
	effects := r.applyDaemon(c)
	r.lastID++
	q := newRequest(r.lastID, p.by)
	r.requests[q.id] = q
	effects = append(effects, emit{services.Event{Kind: services.KindRequest, Reloads: []uint64{q.id}, By: p.by, Reason: strings.Join(p.names, ",")}})
	if p.names == nil {
		effects = append(effects, r.remove(q, c)...)
	}
	for _, s := range c.Services {
		if p.names != nil && !slices.Contains(p.names, s.Name) {
			continue
		}
		effects = append(effects, r.reloadOne(q, s)...)
	}
	if len(q.waiting) == 0 {
		delete(r.requests, q.id)
		effects = append(effects, emit{q.summary()})
	}
	return effects
}

func (r *rollout) reloadOne(q *request, s *config.Service) []effect {
	var effects []effect
	named, known := r.declared[s.Name]
	switch {
	case !known:
		effects = append(effects, add{s})
	case !named:
		effects = append(effects, tell{s.Name, services.Declare{Config: s}})
	}
	r.declared[s.Name] = true
	q.waiting[s.Name] = true
	return append(effects, tell{s.Name, services.Reload{ID: q.id, Config: s}})
}

// remove stops the services that the file names no more.
func (r *rollout) remove(q *request, c *config.Config) []effect {
	var effects []effect
	for _, name := range sorted(r.declared) {
		if _, ok := c.Service(name); ok || !r.declared[name] {
			continue
		}
		r.declared[name] = false
		q.waiting[name] = true
		effects = append(effects, tell{name, services.Stop{ID: q.id, Until: services.Never}})
	}
	return effects
}

// applyDaemon puts the daemon's keys into force; runtime_dir stays what it is,
// and so does a name file that is in it by default.
func (r *rollout) applyDaemon(c *config.Config) []effect {
	var effects []effect
	daemon := c.Daemon
	if held := r.runtimeDir; held != daemon.RuntimeDir {
		effects = append(effects, emit{services.Event{
			Kind:   services.KindTrouble,
			Reason: "daemon.runtime_dir cannot be changed while hupwatch runs; it stays " + held + " until hupwatch is started again",
		}})
		if daemon.NameFile == filepath.Join(daemon.RuntimeDir, nameFileDefault) {
			daemon.NameFile = filepath.Join(held, nameFileDefault)
		}
	}
	r.config = c
	effects = append(effects, apply{daemon})
	return append(effects, r.grant()...)
}

// grant gives turns to those who asked first, as many as max_parallel allows.
func (r *rollout) grant() []effect {
	var effects []effect
	for len(r.queue) > 0 && len(r.held) < r.config.Daemon.MaxParallel {
		t := r.queue[0]
		r.queue = r.queue[1:]
		r.held = append(r.held, t)
		effects = append(effects, tell{t.service, services.Turn{Ticket: t.ticket}})
	}
	return effects
}

func (r *rollout) answered(in answered) []effect {
	var effects []effect
	for _, id := range in.answer.IDs {
		q := r.requests[id]
		if q == nil || !q.waiting[in.service] { // a bug, but no reason to end what serves
			effects = append(effects, emit{services.Event{Kind: services.KindTrouble, Service: in.service, Reason: fmt.Sprintf("answered reload %d, which did not wait for it", id)}})
			continue
		}
		q.answer(in.service, in.answer)
		if len(q.waiting) == 0 {
			delete(r.requests, id)
			effects = append(effects, emit{q.summary()})
		}
	}
	return effects
}

// stop ends every service, or lets go of them where at_exit says so.
func (r *rollout) stop(in stop) []effect {
	by := "signal " + in.signal
	if r.ending {
		return []effect{ignored(by, "hupwatch ends already")}
	}
	leave := r.config.Daemon.AtExit == config.AtExitLeave && in.signal != "INT"
	why := services.Event{Kind: services.KindEnding, By: by}
	if in.signal == "INT" {
		why.Reason = "a second INT kills what is left then"
	}
	if leave {
		why.Kind = services.KindLeaving
	}
	return r.end(in.now, leave, why)
}

// downForGood ends everything since one service that is essential is down, with
// the exit code of that.
func (r *rollout) downForGood(in downForGood) []effect {
	if r.ending {
		return nil
	}
	r.code = in.code
	return r.end(in.now, false, services.Event{Kind: services.KindEnding, Reason: "the essential service " + in.service + " is down for good"})
}

// end ends every service within shutdown_timeout.
func (r *rollout) end(now services.Instant, leave bool, why services.Event) []effect {
	r.ending = true
	for name := range r.declared {
		r.unruly[name] = true
	}
	effects := []effect{emit{why}}
	until := now.Add(r.config.Daemon.ShutdownTimeout)
	effects = append(effects, r.tellAll(services.Stop{Until: until, Final: true, Leave: leave})...)
	return append(effects, r.finishIfDone()...)
}

func (r *rollout) tellAll(in services.Input) []effect {
	var effects []effect
	for _, name := range sorted(r.declared) {
		effects = append(effects, tell{name, in})
	}
	return effects
}

func (r *rollout) finishIfDone() []effect {
	if !r.ending || len(r.unruly) > 0 {
		return nil
	}
	return []effect{finish{r.code}}
}

func count(problems []effect) string {
	if len(problems) == 1 {
		return "a problem"
	}
	return fmt.Sprintf("%d problems", len(problems))
}

// some names services, as many as a message can take.
func some(all []*config.Service) string {
	const enough = 20
	var names []string
	for _, s := range all[:min(enough, len(all))] {
		names = append(names, s.Name)
	}
	text := strings.Join(names, ", ")
	if len(all) > enough {
		text += fmt.Sprintf(" and %d more", len(all)-enough)
	}
	return text
}

func ignored(by, reason string) effect {
	return emit{services.Event{Kind: services.KindIgnored, By: by, Reason: reason}}
}

func refused(by, reason string) effect {
	return emit{services.Event{Kind: services.KindRefused, By: by, Reason: reason}}
}

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
