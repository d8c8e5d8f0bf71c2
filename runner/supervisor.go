package runner

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/oklog/run"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
)

// supervisor is the set of watchers and the goroutine around the rollout: it feeds
// what happens into the rollout and carries out what that wants. It decides
// nothing.
type supervisor struct {
	host *services.Host
	// load reads the configuration file; it may block.
	load  func() (*config.Config, config.Problems)
	apply func(config.Daemon)
	inbox *mailbox.Box[input]
	asking
	view atomic.Pointer[view]

	// Owned by run.
	rollout  *rollout
	watchers map[string]*services.Watcher
	nameFile string
	booted   chan struct{}   // closed once every service has a watcher
	ending   context.Context // of the watchers
	cohorts  sync.WaitGroup
	code     int // to end with
}

func newSupervisor(host *services.Host, c *config.Config, load func() (*config.Config, config.Problems)) *supervisor {
	f := &supervisor{
		host:     host,
		load:     load,
		inbox:    mailbox.New[input](0),
		rollout:  newRollout(),
		watchers: make(map[string]*services.Watcher),
		booted:   make(chan struct{}),
	}
	f.view.Store(&view{config: c})
	return f
}

// hangup, usr2, stop and kill are what the signals ask for. None blocks.
func (f *supervisor) hangup()            { f.inbox.Put(hangup{}) }
func (f *supervisor) names()             { f.inbox.Put(namesAsked{}) }
func (f *supervisor) stop(signal string) { f.inbox.Put(stop{signal, f.host.Now()}) }
func (f *supervisor) kill()              { f.inbox.Put(kill{}) }

// TurnAsked, TurnReturned, Answered and Ended implement services.Rollout.
func (f *supervisor) TurnAsked(service string, ticket int) {
	f.inbox.Put(turnAsked{turn{service, ticket}})
}

// TurnReturned implements services.Rollout.
func (f *supervisor) TurnReturned(service string, ticket int) {
	f.inbox.Put(turnReturned{turn{service, ticket}})
}

// Answered implements services.Rollout.
func (f *supervisor) Answered(service string, a lifecycle.Answer) { f.inbox.Put(answered{service, a}) }

// DownForGood implements services.Rollout.
func (f *supervisor) DownForGood(service string, code int) {
	f.inbox.Put(downForGood{service, code, f.host.Now()})
}

// Standing implements services.Rollout.
func (f *supervisor) DependencyReady(service string, ready bool) {
	f.inbox.Put(standing{service, ready})
}

// Ended implements services.Rollout.
func (f *supervisor) Ended(service string) { f.inbox.Put(ended{service}) }

// run brings the services up and returns when everything has ended after stop.
func (f *supervisor) run(b boot) error {
	defer f.asking.end()
	ctx, cancel := context.WithCancel(context.Background())
	f.ending = ctx
	defer f.cohorts.Wait()
	defer cancel()
	done := f.step(b)
	close(f.booted)
	for !done {
		<-f.inbox.Wake
		inputs, _, _ := f.inbox.Take()
		for _, in := range inputs {
			f.host.Mistakes.Do("decide who reloads", func() { done = f.step(in) || done })
		}
	}
	return nil
}

// step carries one input through the rollout and reports whether nothing is left
// to do.
func (f *supervisor) step(in input) (done bool) {
	var added []*services.Watcher
	for _, e := range f.rollout.step(in) {
		switch e := e.(type) {
		case add:
			w := services.NewWatcher(e.config, e.known, f.host, f)
			f.watchers[e.config.Name] = w
			added = append(added, w)
		case tell:
			f.watchers[e.service].Post(e.input)
		case readConfig:
			go func() { // ends when the file system answers
				var read configRead
				if !f.host.Mistakes.Do("read the configuration", func() { read.config, read.problems = f.load() }) {
					read = configRead{problems: config.Problems{{Text: "hupwatch met a mistake of its own when it read the file, its log has the details"}}}
				}
				f.inbox.Put(read)
			}()
		case claimNames:
			path := f.nameFile
			go func() { // likewise
				claimed := namesClaimed{err: errors.New("hupwatch met a mistake of its own when it read the name file, its log has the details")}
				f.host.Mistakes.Do("claim the name file", func() { claimed.names, claimed.err = claimNameFile(path) })
				f.inbox.Put(claimed)
			}()
		case accepted:
			f.asking.tell(e.token, verdict{id: e.id})
		case rejected:
			f.asking.tell(e.token, verdict{err: &control.Error{Message: e.text, Reason: e.reason, Problems: e.problems}})
		case apply:
			f.nameFile = e.daemon.NameFile
			f.apply(e.daemon)
		case emit:
			f.host.Events.Publish(e.event)
		case finish:
			f.code, done = e.code, true
		}
	}
	f.startWatchers(added)
	f.show(len(added) > 0)
	return done
}

// view is what others see of the supervisor. It is not changed.
type view struct {
	config      *config.Config
	configError string
	watchers    []*services.Watcher // in the order of their names
}

// show lets others see what is new.
func (f *supervisor) show(added bool) {
	r, before := f.rollout, f.view.Load()
	if !added && before.config == r.config && before.configError == r.configError {
		return
	}
	now := &view{config: r.config, configError: r.configError}
	if !added {
		now.watchers = before.watchers
	} else {
		now.watchers = slices.SortedFunc(maps.Values(f.watchers), func(a, b *services.Watcher) int { return strings.Compare(a.Name(), b.Name()) })
	}
	f.view.Store(now)
}

// watcher returns the one of that name, or nil.
func (f *view) watcher(name string) *services.Watcher {
	i, found := slices.BinarySearchFunc(f.watchers, name, func(w *services.Watcher, name string) int { return strings.Compare(w.Name(), name) })
	if !found {
		return nil
	}
	return f.watchers[i]
}

var errEnded = errors.New("the supervisor has ended")

// watch runs new watchers. A run.Group cannot grow, so those that come up
// together form one of their own, a cohort, beside the earlier ones.
func (f *supervisor) startWatchers(cohort []*services.Watcher) {
	if len(cohort) == 0 {
		return
	}
	var g run.Group
	for _, w := range cohort {
		g.Add(w.Run, w.Interrupt)
	}
	// The keeper: the first actor to return ends the group, and none of the
	// watchers returns by itself.
	g.Add(func() error { <-f.ending.Done(); return errEnded }, func(error) {})
	f.cohorts.Go(func() { _ = g.Run() }) // always errEnded or nil
}
