package runner

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

// rollout decides who reloads, when, and with which configuration. It is a pure
// function over plain data, as a services.Machine is: step takes one input and
// returns effects, and nothing else changes it.
type rollout struct {
	config *config.Config
	// runtimeDir and stateDir are those hupwatch began with, whatever the file says now.
	runtimeDir, stateDir string
	// known is what an earlier hupwatch knew of each service.
	known map[string]lifecycle.Record

	declared map[string]bool // every service that has a watcher, and whether the file names it

	// readings are the reads of the file that are still to come; the first one
	// is under way.
	readings []reading
	// configError is why the file was refused when it was last read.
	configError string
	claiming    bool // a claim of the name file is under way
	reclaim     bool // and another was asked for since

	requests map[uint64]*request
	lastID   uint64

	order order

	queue []turn // asked for, in order
	held  []turn

	ending    bool
	code      int             // to end with
	stopping  map[string]bool // services that have not ended yet
	unstopped map[string]bool // of those, the ones that were not told to yet
	last      lifecycle.Stop  // what they are told then
}

// reading is why the file is read: for a signal, or for all that clients asked
// before it.
type reading struct {
	signal demand
	asked  []asked
}

// by says who it is read for.
func (p reading) by() string {
	if len(p.asked) > 0 {
		return p.asked[0].by
	}
	return p.signal.by
}

// nameFileDefault is where in runtime_dir the name file is by default.
const nameFileDefault = "reload"

func newRollout() *rollout {
	return &rollout{
		declared: make(map[string]bool),
		requests: make(map[uint64]*request),
		stopping: make(map[string]bool),
		order:    newOrder(),
	}
}

func (r *rollout) step(in input) []effect {
	switch in := in.(type) {
	case boot:
		return r.boot(in)
	case asked:
		return r.asked(in)
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
		delete(r.stopping, in.service)
		return append(r.endNext(), r.finishIfDone()...)
	case standing:
		return r.standing(in)
	case downForGood:
		return r.downForGood(in)
	case stop:
		return r.stop(in)
	case kill:
		return r.kill()
	}
	return nil
}

// boot brings up the services: all at once, for max_parallel is about reloads.
func (r *rollout) boot(in boot) []effect {
	c := in.config
	r.known = in.known
	r.config, r.runtimeDir, r.stateDir = c, c.Daemon.RuntimeDir, c.Daemon.StateDir
	r.order.learn(c)
	effects := []effect{apply{c.Daemon}}
	for _, s := range c.Services {
		r.declared[s.Name] = true
		wanted := in.wanted[s.Name]
		if wanted == lifecycle.WantedDown { // nothing else tells why it does not come up
			effects = append(effects, emit{lifecycle.Event{
				Kind: lifecycle.KindAdvice, Service: s.Name, Reason: "it was stopped on request and stays so: hupwatch start " + s.Name + " brings it up",
			}})
		}
		effects = append(effects, add{s, r.known[s.Name]})
		effects = append(effects, r.hold(s)...)
		effects = append(effects, tell{s.Name, lifecycle.Start{Wanted: wanted}})
	}
	return effects
}

func (r *rollout) hangup() []effect {
	if r.ending {
		return []effect{ignored("signal HUP", "hupwatch ends")}
	}
	return r.readFile(reading{signal: demand{what: verbReload, by: "signal HUP"}})
}

// asked takes what a client asks for. To stop a service, to signal it or to roll it
// back takes no look at the file.
func (r *rollout) asked(in asked) []effect {
	switch {
	case r.ending:
		return []effect{tooLate(in)}
	case in.what == verbStop, in.what == verbSignal, in.what == verbBack:
		return r.directly(in)
	}
	return r.readFile(reading{asked: []asked{in}})
}

// directly asks the services that have a watcher.
func (r *rollout) directly(in asked) []effect {
	names := in.names
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
		return []effect{unknownTo(r.config, in, unknown)}
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

// askNext asks those of a request that are not in the way of others any more: what
// depends on a service is stopped before it.
func (r *rollout) askNext(q *request) []effect {
	var effects []effect
	q.later = slices.DeleteFunc(q.later, func(name string) bool {
		if q.what == verbStop && r.order.inTheWay(name, q.waiting) {
			return false
		}
		effects = append(effects, tell{name, q.forService(q.id, nil)})
		return true
	})
	return effects
}

// read has the file read once for each purpose, one after the other. What has
// not begun yet covers a later one of the same kind.
func (r *rollout) readFile(p reading) []effect {
	for i := 1; i < len(r.readings); i++ {
		q := &r.readings[i]
		switch {
		case len(p.asked) > 0 && len(q.asked) > 0:
			q.asked = append(q.asked, p.asked...)
			return nil
		case len(p.asked)+len(q.asked) == 0 && p.signal.names == nil && q.signal.names == nil:
			return nil
		}
	}
	r.readings = append(r.readings, p)
	if len(r.readings) > 1 {
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
	return append(effects, r.readFile(reading{signal: demand{what: verbReload, by: "signal USR2", names: in.names}})...)
}

// configRead goes on with what the file was read for.
func (r *rollout) configRead(in configRead) []effect {
	if r.ending {
		return nil
	}
	p := r.readings[0]
	r.readings = r.readings[1:]
	var effects []effect
	if in.config == nil {
		effects = r.badConfig(p, in.problems)
	} else {
		r.configError = ""
		effects = r.serve(p, in.config)
	}
	if len(r.readings) > 0 {
		effects = append(effects, readConfig{})
	}
	return effects
}

// badConfig says what is wrong with the file. Nothing is changed.
func (r *rollout) badConfig(p reading, problems config.Problems) []effect {
	var effects []effect
	var texts []string
	for _, problem := range problems {
		if !problem.Warning {
			texts = append(texts, problem.String())
			effects = append(effects, emit{lifecycle.Event{Kind: lifecycle.KindConfigError, By: p.by(), Reason: problem.String()}})
		}
	}
	text := fmt.Sprintf("the configuration has %s, nothing was changed; hupwatch check -c %s tells them too", count(texts), r.config.File)
	r.configError = text
	if len(texts) > 0 {
		r.configError = texts[0]
	}
	effects = append(effects, refused(p.by(), text))
	for _, a := range p.asked {
		effects = append(effects, rejected{a.token, control.ReasonConfig, text, texts})
	}
	return effects
}

// rejectAll is for clients that were too late. They do not wait for a file system
// that may never answer.
func (r *rollout) rejectAll() []effect {
	var effects []effect
	for _, p := range r.readings {
		for _, a := range p.asked {
			effects = append(effects, tooLate(a))
		}
	}
	r.readings = nil
	return effects
}

func tooLate(a asked) effect {
	return rejected{token: a.token, reason: control.ReasonEnding, text: "hupwatch ends"}
}

// serve does what the file was read for, if it names all that is asked for.
func (r *rollout) serve(p reading, c *config.Config) []effect {
	all := p.asked
	if len(all) == 0 {
		all = []asked{{demand: p.signal}}
	}
	var effects []effect
	applied := false
	for _, a := range all {
		if unknown := missing(a.names, c); len(unknown) > 0 {
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

func unknownTo(c *config.Config, a asked, names []string) effect {
	text := noSuchService(c, names)
	if a.token != 0 {
		return rejected{token: a.token, reason: control.ReasonUnknown, text: text}
	}
	return refused(a.by, text)
}

func noSuchService(c *config.Config, names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return fmt.Sprintf("no such service in %s: %s; nothing was reloaded; it has %s", c.File, strings.Join(quoted, ", "), some(c.Services))
}

// applyTo makes the file so read come true for the services it was read for.
func (r *rollout) applyTo(a asked, c *config.Config) []effect {
	q, effects := r.begin(a)
	if a.names == nil && a.what == verbReload {
		effects = append(effects, r.remove(q, c)...)
	}
	for _, s := range c.Services {
		if a.names == nil || slices.Contains(a.names, s.Name) {
			effects = append(effects, r.askService(q, s)...)
		}
	}
	return append(effects, r.doneIfAnswered(q)...)
}

// begin makes a request of what was asked.
func (r *rollout) begin(a asked) (*request, []effect) {
	r.lastID++
	q := newRequest(r.lastID, a.demand)
	r.requests[q.id] = q
	effects := []effect{emit{lifecycle.Event{Kind: lifecycle.KindRequest, Reloads: []uint64{q.id}, By: a.by, Verb: string(a.what), Names: a.names}}}
	if a.token != 0 {
		effects = append(effects, accepted{a.token, q.id})
	}
	return q, effects
}

func (r *rollout) doneIfAnswered(q *request) []effect {
	if len(q.waiting) > 0 {
		return nil
	}
	delete(r.requests, q.id)
	return []effect{emit{q.summary()}}
}

// ask asks one service for what it is in the file for.
func (r *rollout) askService(q *request, s *config.Service) []effect {
	var effects []effect
	named, known := r.declared[s.Name]
	switch {
	case !known:
		effects = append(effects, add{s, r.known[s.Name]})
	case !named:
		effects = append(effects, tell{s.Name, lifecycle.Declare{Config: s}})
	}
	r.declared[s.Name] = true
	q.waiting[s.Name] = true
	if !known || !named || q.what != verbReload {
		effects = append(effects, r.hold(s)...)
	}
	return append(effects, tell{s.Name, q.forService(q.id, s)})
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
		effects = append(effects, tell{name, lifecycle.Stop{ID: q.id, Until: lifecycle.Never, Why: lifecycle.StopRemoved}})
	}
	return effects
}

// applyDaemon puts the daemon's keys into force; runtime_dir and state_dir stay what
// they are, and so does a name file that is in the first by default.
func (r *rollout) applyDaemon(c *config.Config) []effect {
	var effects []effect
	daemon := c.Daemon
	stays := func(key, held string) {
		r.configError = "daemon." + key + " cannot be changed while hupwatch runs; it stays " + cmp.Or(held, "none") + " until hupwatch is started again"
		effects = append(effects, emit{lifecycle.Event{Kind: lifecycle.KindTrouble, Reason: r.configError}})
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
	r.config = c
	r.order.learn(c)
	effects = append(effects, r.unholdAll()...)
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
		effects = append(effects, tell{t.service, lifecycle.Turn{Ticket: t.ticket}})
	}
	return effects
}

func (r *rollout) answered(in answered) []effect {
	var effects []effect
	if a := in.answer; !a.Told {
		effects = append(effects, emit{lifecycle.Event{
			Kind: lifecycle.KindAnswered, Service: in.service, Reloads: a.IDs, Result: a.Result, Reason: a.Reason, Generation: a.Generation, PID: a.PID,
		}})
	}
	for _, id := range in.answer.IDs {
		q := r.requests[id]
		if q == nil || !q.waiting[in.service] { // a bug, but no reason to end what serves
			effects = append(effects, emit{lifecycle.Event{Kind: lifecycle.KindTrouble, Service: in.service, Reason: fmt.Sprintf("answered reload %d, which did not wait for it", id)}})
			continue
		}
		q.answer(in.service, in.answer)
		effects = append(effects, r.askNext(q)...)
		effects = append(effects, r.doneIfAnswered(q)...)
	}
	return effects
}

// stop ends every service, or lets go of them if at_exit says so.
func (r *rollout) stop(in stop) []effect {
	by := "signal " + in.signal
	if r.ending {
		return []effect{ignored(by, "hupwatch ends already")}
	}
	leave := r.config.Daemon.AtExit == config.AtExitLeave && in.signal != "INT"
	why, told := lifecycle.StopShutdown, lifecycle.Event{Kind: lifecycle.KindEnding, By: by}
	if in.signal == "INT" {
		told.Reason = "a second INT kills what is left then"
	}
	if leave {
		why, told.Kind = lifecycle.StopLeave, lifecycle.KindLeaving
	}
	return r.end(in.now, why, told)
}

// downForGood ends everything since one service that is essential is down, with
// the exit code of that.
func (r *rollout) downForGood(in downForGood) []effect {
	if r.ending {
		return nil
	}
	r.code = in.code
	return r.end(in.now, lifecycle.StopShutdown, lifecycle.Event{Kind: lifecycle.KindEnding, Reason: "the essential service " + in.service + " is down for good"})
}

// end ends every service within shutdown_timeout.
func (r *rollout) end(now lifecycle.Instant, why lifecycle.StopCause, told lifecycle.Event) []effect {
	r.ending = true
	r.unstopped = make(map[string]bool)
	for name := range r.declared {
		r.stopping[name], r.unstopped[name] = true, true
	}
	effects := append([]effect{emit{told}}, r.rejectAll()...)
	effects = append(effects, r.abortLater()...)
	r.last = lifecycle.Stop{Until: now.Add(r.config.Daemon.ShutdownTimeout), Why: why}
	effects = append(effects, r.endNext()...)
	return append(effects, r.finishIfDone()...)
}

// abortLater answers for the services that were to be asked once others have
// answered: they end by themselves now, in the same order.
func (r *rollout) abortLater() []effect {
	var effects []effect
	for _, id := range slices.Sorted(maps.Keys(r.requests)) {
		q := r.requests[id]
		names := q.later
		q.later = nil
		for _, name := range names {
			effects = append(effects, r.answered(answered{name, lifecycle.Answer{IDs: []uint64{id}, Result: lifecycle.ResultAborted, Reason: "hupwatch ends"}})...)
		}
	}
	return effects
}

// endNext ends the services that nobody who lives depends on any more.
func (r *rollout) endNext() []effect {
	var effects []effect
	for _, name := range sorted(r.unstopped) {
		if r.last.Why != lifecycle.StopLeave && r.order.inTheWay(name, r.stopping) {
			continue
		}
		delete(r.unstopped, name)
		effects = append(effects, tell{name, r.last})
	}
	return effects
}

// kill ends everything at once.
func (r *rollout) kill() []effect {
	var effects []effect
	for _, name := range sorted(r.unstopped) {
		effects = append(effects, tell{name, r.last})
	}
	clear(r.unstopped)
	return append(effects, r.tellAll(lifecycle.Kill{})...)
}

func (r *rollout) tellAll(in lifecycle.Input) []effect {
	var effects []effect
	for _, name := range sorted(r.declared) {
		effects = append(effects, tell{name, in})
	}
	return effects
}

func (r *rollout) finishIfDone() []effect {
	if !r.ending || len(r.stopping) > 0 {
		return nil
	}
	return []effect{finish{r.code}}
}

func count(problems []string) string {
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
	return emit{lifecycle.Event{Kind: lifecycle.KindIgnored, By: by, Reason: reason}}
}

func refused(by, reason string) effect {
	return emit{lifecycle.Event{Kind: lifecycle.KindRefused, By: by, Reason: reason}}
}

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
