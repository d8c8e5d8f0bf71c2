package runner

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
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
	"hupwatch/services/output"
	"hupwatch/services/process"
	"hupwatch/services/release"
)

// api is what the control server speaks for. It implements server.Daemon.
type api struct {
	version    string
	pid        int
	supervisor *supervisor
	feed       *feed
	began      time.Time
	hash       atomic.Pointer[hashed]
	group      atomic.Int64 // the control group; noGroup for none

	admissions atomic.Uint64 // how often a control group was asked for
	admitting  sync.Mutex    // held while it changes
}

const noGroup = -1

func newAPI(version string, f *supervisor, feed *feed) *api {
	a := &api{version: version, pid: os.Getpid(), supervisor: f, feed: feed, began: time.Now()}
	a.group.Store(noGroup)
	return a
}

// admit makes a group the control group: a name or a number, or empty for none.
func (a *api) admit(group string, s *server.Server) {
	if s == nil {
		return
	}
	nth := a.admissions.Add(1)
	go func() { // ends when whoever knows the groups answers
		defer a.supervisor.host.Mistakes.Contain("look up the control group")
		a.lookUp(nth, group, s)
	}()
}

// lookUp finds the group that was asked for the nth time. An answer that comes
// late does not undo what was asked after it.
func (a *api) lookUp(nth uint64, group string, s *server.Server) {
	gid := int64(noGroup)
	if group != "" {
		n, err := release.LookupGroup(group)
		if err != nil {
			a.supervisor.host.Events.Publish(lifecycle.Event{Kind: lifecycle.KindTrouble, Reason: "control_group: " + err.Error()})
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
		a.supervisor.host.Events.Publish(lifecycle.Event{Kind: lifecycle.KindTrouble, Reason: err.Error()})
	}
}

// hashed is what a configuration was hashed to.
type hashed struct {
	config *config.Config
	hash   string
}

// Status implements server.Daemon.
func (a *api) Status() control.Status {
	a.feed.settle()
	front := a.supervisor.view.Load()
	s := control.Status{
		Version: a.version, PID: a.pid, Config: front.config.File,
		ConfigError: front.configError, ConfigHash: a.configHash(front.config),
	}
	for _, w := range front.watchers {
		if one, ok := a.look(w); ok {
			s.Services = append(s.Services, one)
		}
	}
	return s
}

// Service implements server.Daemon.
func (a *api) Service(name string) (control.Service, bool) {
	w := a.supervisor.view.Load().watcher(name)
	if w == nil {
		return control.Service{}, false
	}
	a.feed.settle()
	return a.look(w)
}

// look says how a service is, unless it was removed and is gone.
func (a *api) look(w *services.Watcher) (s control.Service, ok bool) {
	c := clock{wall: time.Now(), now: a.supervisor.host.Now()}
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
func (a *api) configHash(c *config.Config) string {
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
func (a *api) Plan(ctx context.Context) (control.Plan, error) {
	made := make(chan control.Plan, 1)
	go func() { // ends when the file system answers
		defer close(made)
		defer a.supervisor.host.Mistakes.Contain("plan")
		front := a.supervisor.view.Load()
		c, problems := a.supervisor.load()
		if c == nil {
			p := control.Plan{Config: front.config.File}
			for _, problem := range problems {
				if !problem.Warning {
					p.Problems = append(p.Problems, problem.String())
				}
			}
			made <- p
			return
		}
		made <- plan(c, front.watchers, a.supervisor.host.Resolver)
	}()
	select {
	case p, ok := <-made:
		if !ok {
			return p, &control.Error{Message: "hupwatch met a mistake of its own, its log has the details; nothing else is affected", Reason: control.ReasonFailed}
		}
		return p, nil
	case <-ctx.Done():
		return control.Plan{}, ctx.Err()
	}
}

// Ask implements server.Daemon.
func (a *api) Ask(ctx context.Context, what, name string, q control.Request, by string) (uint64, error) {
	d := demand{what: verb(what), by: by, changed: q.Changed, to: q.To}
	switch name {
	case "":
		d.names = q.Services
	case config.AllServices:
	default:
		d.names = []string{name}
	}
	if d.what == verbSignal {
		sig, err := config.Signal(q.Signal)
		if err != nil {
			return 0, &control.Error{Message: err.Error(), Reason: control.ReasonUsage}
		}
		d.signal = sig
	}
	if len(d.names) == 0 {
		d.names = nil
	}
	if err := a.down(&d); err != nil {
		return 0, err
	}
	id, err := a.supervisor.request(ctx, d)
	if err != nil {
		return 0, err
	}
	return id, a.feed.await(ctx, id)
}

// down refuses what cannot be done with a service that is down, if it was
// asked for by name. A signal for all is for those that run.
func (a *api) down(d *demand) error {
	front := a.supervisor.view.Load()
	if d.what == verbSignal && d.names == nil {
		for _, w := range front.watchers {
			if w.Serves() {
				d.names = append(d.names, w.Name())
			}
		}
		if d.names == nil {
			return &control.Error{Message: "nothing runs that could be signalled", Reason: control.ReasonDown}
		}
	}
	for _, name := range d.names {
		w := front.watcher(name)
		switch {
		case w == nil: // which is said later
		case d.what == verbReload && w.Down():
			return &control.Error{Message: fmt.Sprintf("%s is wanted down, nothing was reloaded: hupwatch start %s brings it up", name, name), Reason: control.ReasonDown}
		case d.what == verbBack && w.Down():
			return &control.Error{Message: fmt.Sprintf("%s is wanted down, nothing was rolled back: hupwatch start %s brings it up", name, name), Reason: control.ReasonDown}
		case d.what == verbSignal && !w.Serves():
			return &control.Error{Message: fmt.Sprintf("nothing of %s runs, nothing was signalled: hupwatch start %s brings it up", name, name), Reason: control.ReasonDown}
		}
	}
	return nil
}

// Reload implements server.Daemon.
func (a *api) Reload(id uint64) (control.Reload, bool) {
	a.feed.settle()
	q, ok := a.feed.journal.Request(id)
	if !ok {
		return control.Reload{}, false
	}
	front := a.supervisor.view.Load()
	r := control.Reload{
		ID: q.ID, What: q.What, By: q.By, StartedAt: control.Time{Time: q.Started}, EndedAt: control.Time{Time: q.Ended},
		Done: !q.Ended.IsZero(), // also if an earlier hupwatch ended first: nothing more comes of it
	}
	for i := range q.Services {
		r.Services = append(r.Services, a.serviceReload(&q.Services[i], front))
	}
	return r, true
}

func (a *api) serviceReload(r *journal.Reload, front *view) control.ServiceReload {
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
func (a *api) Follow() (next *mailbox.Box[control.Event], cancel func()) { return a.feed.follow() }

// Events implements server.Daemon.
func (a *api) Events() (past []control.Event, next *mailbox.Box[control.Event], cancel func()) {
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
func (a *api) Lines(service string, n int) (past []control.Line, next *mailbox.Box[control.Line], cancel func()) {
	written, lines, stop := a.supervisor.host.Output.Recall(service, n)
	for _, l := range written {
		past = append(past, lineOf(l))
	}
	next = mailbox.New[control.Line](readerLimit)
	go passLines(lines, next) // ends with stop
	return past, next, stop
}

// Written implements server.Daemon.
func (a *api) Written(service string, generation int) []control.Line {
	var lines []control.Line
	for _, l := range a.supervisor.host.Output.Of(service, generation) {
		lines = append(lines, lineOf(l))
	}
	return lines
}

// passLines hands on the lines as clients read them.
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
func (a *api) Memory(names []string) map[string]int64 {
	front := a.supervisor.view.Load()
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
func (a *api) Connections(pid int) (n int, known bool) { return process.Connections(pid) }

// ControlGroup implements server.Daemon.
func (a *api) ControlGroup() (gid int, ok bool) {
	gid = int(a.group.Load())
	return gid, gid != noGroup
}
