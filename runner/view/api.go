// Package view is what others see of hupwatch: status, plan, events, and what became of
// requests. It decides nothing, and hands requests on.
package view

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/runner/control/server"
	"hupwatch/runner/journal"
	"hupwatch/runner/rollout"
	"hupwatch/services"
	"hupwatch/services/account"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
	"hupwatch/services/output"
	"hupwatch/services/process"
)

// Source is what an API shows, and where its requests go.
type Source struct {
	Host  *services.Host
	Load  func() (*config.Config, config.Problems) // reads the file, and may block
	Front *atomic.Pointer[Front]
	// Request asks for something and returns the id of the request.
	Request func(context.Context, rollout.Demand) (id uint64, err error)
}

// API answers for the control server. It implements server.Daemon.
type API struct {
	version string
	pid     int
	Source
	feed  *Feed
	began time.Time
	clock wallClock
	hash  atomic.Pointer[hashed]
	group atomic.Int64 // the control group; noGroup for none

	admissions atomic.Uint64 // how often a control group was asked for
	admitting  sync.Mutex    // held while it changes
}

const noGroup = -1

// New returns an API of a hupwatch of that version.
func New(version string, from Source, feed *Feed) *API {
	a := &API{version: version, pid: os.Getpid(), Source: from, feed: feed, began: time.Now()}
	a.group.Store(noGroup)
	return a
}

// Admit makes a group the control group: a name or a number, or empty for none.
func (a *API) Admit(group string, s *server.Server) {
	if s == nil {
		return
	}
	nth := a.admissions.Add(1)
	go func() { // ends when the accounts of the host answer
		defer a.Host.Mistakes.Contain("look up the control group")
		a.lookUp(nth, group, s)
	}()
}

// lookUp finds the group of the nth call of Admit. If there was a later call meanwhile,
// the answer is not used.
func (a *API) lookUp(nth uint64, group string, s *server.Server) {
	gid := int64(noGroup)
	if group != "" {
		n, err := account.LookupGroup(group)
		if err != nil {
			a.Host.Events.Publish(lifecycle.Event{Kind: lifecycle.KindTrouble, Reason: "control_group: " + err.Error()})
		} else {
			gid = int64(n)
		}
	}
	a.admitting.Lock()
	defer a.admitting.Unlock()
	if nth != a.admissions.Load() || a.group.Swap(gid) == gid {
		return
	}
	if err := s.Admit(); err != nil {
		a.Host.Events.Publish(lifecycle.Event{Kind: lifecycle.KindTrouble, Reason: err.Error()})
	}
}

// hashed is a configuration and its hash.
type hashed struct {
	config *config.Config
	hash   string
}

// Status implements server.Daemon.
func (a *API) Status() control.Status {
	a.feed.settle()
	front := a.Front.Load()
	s := control.Status{
		Version: a.version, PID: a.pid, Config: front.Config.File,
		ConfigError: front.ConfigError, ConfigHash: a.configHash(front.Config),
	}
	for _, w := range front.Watchers {
		if one, ok := a.look(w); ok {
			s.Services = append(s.Services, one)
		}
	}
	return s
}

// Service implements server.Daemon.
func (a *API) Service(name string) (control.Service, bool) {
	w := a.Front.Load().watcher(name)
	if w == nil {
		return control.Service{}, false
	}
	a.feed.settle()
	return a.look(w)
}

// look says how a service is, unless it was removed and is gone.
func (a *API) look(w *services.Watcher) (s control.Service, ok bool) {
	c := a.clock.read(time.Now, a.Host.Now)
	w.Look(func(m *lifecycle.Machine) {
		if ok = !m.Removed(); ok {
			s = serviceOf(m, c)
		}
	})
	if !ok {
		return s, false
	}
	s.LastTail = w.LastTail()
	if r, found := a.feed.journal.Last(w.Name()); found {
		s.LastReload = outcomeOf(&r)
		if r.Ended.Before(a.began) { // its generations were those of an earlier hupwatch
			s.LastReload.FailedGeneration = 0
		}
	}
	if bad := s.Refused.Release; bad != "" {
		s.Refused.Tail = w.TailOf(bad)
		if len(s.Refused.Tail) == 0 && s.LastReload.Release == bad {
			s.Refused.Tail = s.LastReload.Tail
		}
	}
	return s, true
}

// configHash tells one configuration from another.
func (a *API) configHash(c *config.Config) string {
	if h := a.hash.Load(); h != nil && h.config == c {
		return h.hash
	}
	text, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	const length = 6
	sum := sha256.Sum256(text)
	h := &hashed{c, hex.EncodeToString(sum[:length])}
	a.hash.Store(h)
	return h.hash
}

// Plan implements server.Daemon.
func (a *API) Plan(ctx context.Context) (control.Plan, error) {
	made := make(chan control.Plan, 1)
	go func() { // ends when the file system answers
		defer close(made)
		defer a.Host.Mistakes.Contain("plan")
		front := a.Front.Load()
		c, problems := a.Load()
		if c == nil {
			made <- control.Plan{Config: front.Config.File, Problems: problems.Errors()}
			return
		}
		made <- plan(c, front, a.Host.Resolver)
	}()
	select {
	case p, ok := <-made:
		if !ok {
			return p, &control.Error{Message: "internal error in hupwatch, its log has the details; nothing else is affected", Reason: control.ReasonFailed}
		}
		return p, nil
	case <-ctx.Done():
		return control.Plan{}, ctx.Err()
	}
}

// Ask implements server.Daemon.
func (a *API) Ask(ctx context.Context, what, name string, q control.Request, by string) (uint64, error) {
	d := rollout.Demand{What: rollout.Verb(what), By: by, Changed: q.Changed, Prune: q.Prune, To: q.To}
	switch name {
	case "":
		d.Names = q.Services
	case config.AllServices:
	default:
		d.Names = []string{name}
	}
	if d.What == rollout.VerbSignal {
		sig, err := config.Signal(q.Signal)
		if err != nil {
			return 0, &control.Error{Message: err.Error(), Reason: control.ReasonUsage}
		}
		d.Signal = sig
	}
	if len(d.Names) == 0 {
		d.Names = nil
	}
	if err := a.down(&d); err != nil {
		return 0, err
	}
	id, err := a.Request(ctx, d)
	if err != nil {
		return 0, err
	}
	return id, a.feed.await(ctx, id)
}

// down refuses a request for a service that is down, if it was named. A signal for all
// services is for those that run.
func (a *API) down(d *rollout.Demand) error {
	front := a.Front.Load()
	if d.What == rollout.VerbSignal && d.Names == nil {
		for _, w := range front.Watchers {
			if w.Serves() {
				d.Names = append(d.Names, w.Name())
			}
		}
		if d.Names == nil {
			return &control.Error{Message: "no service is running, nothing was signalled", Reason: control.ReasonDown}
		}
	}
	for _, name := range d.Names {
		w := front.watcher(name)
		switch {
		case w == nil: // that is reported later
		case d.What == rollout.VerbReload && w.Down():
			return &control.Error{Message: fmt.Sprintf("%s is stopped, nothing was reloaded: hupwatch start %s brings it up", name, name), Reason: control.ReasonDown}
		case d.What == rollout.VerbRollback && w.Down():
			return &control.Error{Message: fmt.Sprintf("%s is stopped, nothing was rolled back: hupwatch start %s brings it up", name, name), Reason: control.ReasonDown}
		case d.What == rollout.VerbSignal && !w.Serves():
			return &control.Error{Message: fmt.Sprintf("nothing of %s runs, nothing was signalled: hupwatch start %s brings it up", name, name), Reason: control.ReasonDown}
		}
	}
	return nil
}

// Reload implements server.Daemon.
func (a *API) Reload(id uint64) (control.Reload, bool) {
	a.feed.settle()
	q, ok := a.feed.journal.Request(id)
	if !ok {
		return control.Reload{}, false
	}
	front := a.Front.Load()
	r := control.Reload{
		ID: q.ID, What: q.What, By: q.By, StartedAt: control.Time{Time: q.Started}, EndedAt: control.Time{Time: q.Ended},
		Done: !q.Ended.IsZero(), // also if an earlier hupwatch ended first: nothing more comes of it
	}
	for i := range q.Services {
		r.Services = append(r.Services, a.serviceReload(&q.Services[i], front))
	}
	return r, true
}

func (a *API) serviceReload(r *journal.Reload, front *Front) control.ServiceReload {
	s := control.ServiceReload{Name: r.Service, Outcome: outcomeOf(r)}
	if r.Exit != nil {
		s.Exit = &control.Exit{Code: r.Exit.Code, Signal: r.Exit.Signal, Reason: r.Exit.Reason, At: control.Time{Time: r.Exit.At}}
	}
	if w := front.watcher(r.Service); w != nil {
		w.Look(func(m *lifecycle.Machine) {
			now := serviceOf(m, clock{})
			s.Generation, s.PID, s.State, s.Wanted = now.Generation, now.PID, now.State, now.Wanted
		})
	}
	return s
}

func outcomeOf(r *journal.Reload) control.Outcome {
	o := control.Outcome{
		Result: string(r.Result), Error: r.Reason, Instance: r.Instance, Tail: r.Tail, By: r.By,
		StartedAt: control.Time{Time: r.Asked}, EndedAt: control.Time{Time: r.Ended},
		ReadySeconds: r.Ready.Seconds(), DrainSeconds: r.Drain.Seconds(), Release: r.Release,
	}
	if r.Failed() {
		o.FailedGeneration = r.Generation
	}
	if len(r.IDs) > 0 {
		o.Reload = r.IDs[0]
	}
	return o
}

// Follow implements server.Daemon.
func (a *API) Follow() (next *mailbox.Box[control.Event], cancel func()) { return a.feed.follow() }

// Events implements server.Daemon.
func (a *API) Events() (past []control.Event, next *mailbox.Box[control.Event], cancel func()) {
	a.feed.settle()
	before, next, cancel := a.feed.since()
	events := before.Events()
	past = make([]control.Event, len(events))
	for i := range events {
		past[i] = eventOf(&events[i])
	}
	return past, next, cancel
}

// Lines implements server.Daemon.
func (a *API) Lines(service string, n int) (past []control.Line, next *mailbox.Box[control.Line], cancel func()) {
	written, lines, stop := a.Host.Output.Recall(service, n)
	for _, l := range written {
		past = append(past, lineOf(l))
	}
	next = mailbox.New[control.Line](readerLimit)
	go passLines(lines, next) // ends with stop
	return past, next, stop
}

// Written implements server.Daemon.
func (a *API) Written(service string, generation int) []control.Line {
	var lines []control.Line
	for _, l := range a.Host.Output.Of(service, generation) {
		lines = append(lines, lineOf(l))
	}
	return lines
}

// passLines hands the lines on, in the form that clients read.
func passLines(from *mailbox.Box[output.Line], to *mailbox.Box[control.Line]) {
	missing := 0 // before the next line
	for range from.Wake {
		lines, lost, closed := from.Take()
		for _, l := range lines {
			line := lineOf(l)
			line.Lost, missing = missing, 0
			to.Put(line)
		}
		missing += lost // which came when there was no room behind those lines
		if closed {
			to.Close()
			return
		}
	}
}

func lineOf(l output.Line) control.Line {
	return control.Line{
		At: control.Time{Time: l.Time}, Service: l.Service, Instance: l.Instance, Generation: max(0, l.Generation), Stream: "std" + string(l.Stream), Text: l.Text,
	}
}

// Memory implements server.Daemon.
func (a *API) Memory(names []string) map[string]int64 {
	front := a.Front.Load()
	owner := make(map[int]string)
	for _, name := range names {
		if w := front.watcher(name); w != nil {
			w.Look(func(m *lifecycle.Machine) {
				for _, pid := range m.PIDs() {
					owner[pid] = name
				}
			})
		}
	}
	sessions := make([]int, 0, len(owner))
	for pid := range owner {
		sessions = append(sessions, pid)
	}
	slices.Sort(sessions)
	sums := make(map[string]int64)
	for pid, bytes := range process.Memory(sessions) {
		sums[owner[pid]] += bytes
	}
	return sums
}

// Connections implements server.Daemon.
func (a *API) Connections(pid int) (n int, known bool) { return process.Connections(pid) }

// ControlGroup implements server.Daemon.
func (a *API) ControlGroup() (gid int, ok bool) {
	gid = int(a.group.Load())
	return gid, gid != noGroup
}
