// Package rollout decides which service reloads, when, and with which configuration.
package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hupwatch/config"
	"hupwatch/runner/control"
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

	declared map[string]bool // every service that has a watcher, and whether the file names it

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

// reading is why the file is read: for a signal, or for all requests that came before
// it.
type reading struct {
	signal Demand
	asked  []Asked
}

// by says who it is read for.
func (p reading) by() string {
	if len(p.asked) > 0 {
		return p.asked[0].By
	}
	return p.signal.By
}

// nameFileDefault is the name file in runtime_dir by default.
const nameFileDefault = "reload"

// New returns a rollout that knows no service.
func New() *Rollout {
	return &Rollout{
		declared: make(map[string]bool),
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
		r.declared[s.Name] = true
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

// readFile lets the file be read once for each purpose, one after the other. A read
// that has not begun covers a later one of the same kind.
func (r *Rollout) readFile(p reading) []Effect {
	for i := 1; i < len(r.readings); i++ {
		q := &r.readings[i]
		switch {
		case len(p.asked) > 0 && len(q.asked) > 0:
			q.asked = append(q.asked, p.asked...)
			return nil
		case len(p.asked)+len(q.asked) == 0 && p.signal.Names == nil && q.signal.Names == nil:
			return nil
		}
	}
	r.readings = append(r.readings, p)
	if len(r.readings) > 1 {
		return nil
	}
	return []Effect{ReadConfig{}}
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

// configRead goes on with what the file was read for.
func (r *Rollout) configRead(in ConfigRead) []Effect {
	if r.ending {
		return nil
	}
	p := r.readings[0]
	r.readings = r.readings[1:]
	var effects []Effect
	if in.Config == nil {
		effects = r.badConfig(p, in.Problems)
	} else {
		r.ConfigError = ""
		effects = r.serve(p, in.Config)
	}
	if len(r.readings) > 0 {
		effects = append(effects, ReadConfig{})
	}
	return effects
}

// badConfig says what is wrong with the file. Nothing is changed.
func (r *Rollout) badConfig(p reading, problems config.Problems) []Effect {
	var effects []Effect
	var texts []string
	for _, problem := range problems {
		if !problem.Warning {
			texts = append(texts, problem.String())
			effects = append(effects, Emit{lifecycle.Event{Kind: lifecycle.KindConfigError, By: p.by(), Reason: problem.String()}})
		}
	}
	text := fmt.Sprintf("the configuration has %s, nothing was changed; hupwatch check -c %s tells them too", count(texts), r.Config.File)
	r.ConfigError = text
	if len(texts) > 0 {
		r.ConfigError = texts[0]
	}
	effects = append(effects, refused(p.by(), text))
	for _, a := range p.asked {
		effects = append(effects, Rejected{a.Token, control.ReasonConfig, text, texts})
	}
	return effects
}

// rejectAll rejects the requests that wait for the file: the file system may never
// answer.
func (r *Rollout) rejectAll() []Effect {
	var effects []Effect
	for _, p := range r.readings {
		for _, a := range p.asked {
			effects = append(effects, tooLate(a))
		}
	}
	r.readings = nil
	return effects
}

func tooLate(a Asked) Effect {
	return Rejected{Token: a.Token, Reason: control.ReasonEnding, Text: "hupwatch is shutting down"}
}

// serve does what the file was read for, if all services that were named are in it.
func (r *Rollout) serve(p reading, c *config.Config) []Effect {
	all := p.asked
	if len(all) == 0 {
		all = []Asked{{Demand: p.signal}}
	}
	var effects []Effect
	applied := false
	for _, a := range all {
		if unknown := missing(a.Names, c); len(unknown) > 0 {
			effects = append(effects, unknownTo(c, a, unknown))
			continue
		}
		if !applied {
			applied = true
			effects = append(effects, r.applyDaemon(c)...)
		}
		effects = append(effects, r.applyTo(a, c)...)
	}
	return effects
}

func missing(names []string, c *config.Config) []string {
	var found []string
	for _, name := range names {
		if _, ok := c.Service(name); !ok {
			found = append(found, name)
		}
	}
	return found
}

func unknownTo(c *config.Config, a Asked, names []string) Effect {
	text := noSuchService(c, names)
	if a.Token != 0 {
		return Rejected{Token: a.Token, Reason: control.ReasonUnknown, Text: text}
	}
	return refused(a.By, text)
}

func noSuchService(c *config.Config, names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return fmt.Sprintf("no such service in %s: %s; nothing was reloaded; it has %s", c.File, strings.Join(quoted, ", "), some(c.Services))
}

// applyTo applies the file to the services that it was read for.
func (r *Rollout) applyTo(a Asked, c *config.Config) []Effect {
	q, effects := r.begin(a)
	if a.Names == nil && a.What == VerbReload {
		effects = append(effects, r.remove(q, c)...)
	}
	for _, s := range c.Services {
		if a.Names == nil || slices.Contains(a.Names, s.Name) {
			effects = append(effects, r.askService(q, s)...)
		}
	}
	return append(effects, r.doneIfAnswered(q)...)
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

// askService tells one service what was asked of it, with its part of the file.
func (r *Rollout) askService(q *request, s *config.Service) []Effect {
	var effects []Effect
	named, known := r.declared[s.Name]
	switch {
	case !known:
		effects = append(effects, Add{s, r.known[s.Name]})
	case !named:
		effects = append(effects, Tell{s.Name, lifecycle.Declare{Config: s}})
	}
	r.declared[s.Name] = true
	q.waiting[s.Name] = true
	if !known || !named || q.What != VerbReload {
		effects = append(effects, r.hold(s)...)
	}
	return append(effects, Tell{s.Name, q.forService(q.id, s)})
}

// remove stops the services that are not in the file any more.
func (r *Rollout) remove(q *request, c *config.Config) []Effect {
	var effects []Effect
	for _, name := range sorted(r.declared) {
		if _, ok := c.Service(name); ok || !r.declared[name] {
			continue
		}
		r.declared[name] = false
		q.waiting[name] = true
		effects = append(effects, Tell{name, lifecycle.Stop{ID: q.id, Until: lifecycle.Never, Why: lifecycle.StopRemoved}})
	}
	return effects
}

// applyDaemon puts the daemon's keys into force. Not runtime_dir and state_dir, nor a
// name file that is in runtime_dir by default: those stay.
func (r *Rollout) applyDaemon(c *config.Config) []Effect {
	var effects []Effect
	daemon := c.Daemon
	stays := func(key, held string) {
		r.ConfigError = "daemon." + key + " cannot be changed while hupwatch runs; it stays " + cmp.Or(held, "none") + " until hupwatch is started again"
		effects = append(effects, Emit{lifecycle.Event{Kind: lifecycle.KindTrouble, Reason: r.ConfigError}})
	}
	if r.stateDir != daemon.StateDir {
		stays("state_dir", r.stateDir)
	}
	if held := r.runtimeDir; held != daemon.RuntimeDir {
		stays("runtime_dir", held)
		if daemon.NameFile == filepath.Join(daemon.RuntimeDir, nameFileDefault) {
			daemon.NameFile = filepath.Join(held, nameFileDefault)
		}
	}
	r.Config = c
	r.order.learn(c)
	effects = append(effects, r.unholdAll()...)
	effects = append(effects, Apply{daemon})
	return append(effects, r.grant()...)
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
	return append(effects, r.tellAll(lifecycle.Kill{})...)
}

func (r *Rollout) tellAll(in lifecycle.Input) []Effect {
	var effects []Effect
	for _, name := range sorted(r.declared) {
		effects = append(effects, Tell{name, in})
	}
	return effects
}

func (r *Rollout) finishIfDone() []Effect {
	if !r.ending || len(r.stopping) > 0 {
		return nil
	}
	return []Effect{Finish{r.code}}
}

func count(problems []string) string {
	if len(problems) == 1 {
		return "a problem"
	}
	return fmt.Sprintf("%d problems", len(problems))
}

// some names services, as many as fit into a message.
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

func ignored(by, reason string) Effect {
	return Emit{lifecycle.Event{Kind: lifecycle.KindIgnored, By: by, Reason: reason}}
}

func refused(by, reason string) Effect {
	return Emit{lifecycle.Event{Kind: lifecycle.KindRefused, By: by, Reason: reason}}
}

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
