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
	"hupwatch/runner/rollout"
	"hupwatch/runner/view"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
)

// supervisor is the set of watchers, and the goroutine around the rollout: it feeds
// what happens into the rollout and carries out the effects. It decides nothing.
type supervisor struct {
	host *services.Host
	// load reads the configuration file; it may block.
	load  func() (*config.Config, config.Problems)
	apply func(config.Daemon)
	inbox *mailbox.Box[rollout.Input]
	asking
	front atomic.Pointer[view.Front]

	// Owned by run.
	rollout  *rollout.Rollout
	watchers map[string]*services.Watcher
	nameFile string
	booted   chan struct{}   // closed once every service has a watcher
	ending   context.Context // of the watchers
	cohorts  sync.WaitGroup
	code     int // to end with
}

func newSupervisor(host *services.Host, c *config.Config, load func() (*config.Config, config.Problems)) *supervisor {
	s := &supervisor{
		host:     host,
		load:     load,
		inbox:    mailbox.New[rollout.Input](0),
		rollout:  rollout.New(),
		watchers: make(map[string]*services.Watcher),
		booted:   make(chan struct{}),
	}
	s.front.Store(&view.Front{Config: c})
	return s
}

// hangup, names, stop and kill are what the signals ask for. None blocks.
func (s *supervisor) hangup() { s.inbox.Put(rollout.Hangup{}) }
func (s *supervisor) names()  { s.inbox.Put(rollout.NamesAsked{}) }
func (s *supervisor) stop(signal string) {
	s.inbox.Put(rollout.Stop{Signal: signal, Now: s.host.Now()})
}
func (s *supervisor) kill() { s.inbox.Put(rollout.Kill{}) }

// TurnAsked implements services.Coordinator.
func (s *supervisor) TurnAsked(service string, ticket int) {
	s.inbox.Put(rollout.TurnAsked{Turn: rollout.Turn{Service: service, Ticket: ticket}})
}

// TurnReturned implements services.Coordinator.
func (s *supervisor) TurnReturned(service string, ticket int) {
	s.inbox.Put(rollout.TurnReturned{Turn: rollout.Turn{Service: service, Ticket: ticket}})
}

// Answered implements services.Coordinator.
func (s *supervisor) Answered(service string, a lifecycle.Answer) {
	s.inbox.Put(rollout.Answered{Service: service, Answer: a})
}

// DownForGood implements services.Coordinator.
func (s *supervisor) DownForGood(service string, code int) {
	s.inbox.Put(rollout.DownForGood{Service: service, Code: code, Now: s.host.Now()})
}

// DependencyReady implements services.Coordinator.
func (s *supervisor) DependencyReady(service string, ready, failed bool) {
	s.inbox.Put(rollout.DependencyReady{Service: service, Ready: ready, Failed: failed})
}

// Ended implements services.Coordinator.
func (s *supervisor) Ended(service string) { s.inbox.Put(rollout.Ended{Service: service}) }

// run starts the services and returns when everything has ended after stop.
func (s *supervisor) run(b rollout.Boot) error {
	defer s.asking.end()
	ctx, cancel := context.WithCancel(context.Background())
	s.ending = ctx
	defer s.cohorts.Wait()
	defer cancel()
	done := s.step(b)
	close(s.booted)
	for !done {
		<-s.inbox.Wake
		inputs, _, _ := s.inbox.Take()
		for _, in := range inputs {
			s.host.Mistakes.Do("decide who reloads", func() { done = s.step(in) || done })
		}
	}
	return nil
}

// step gives one input to the rollout, and reports whether nothing is left to do.
func (s *supervisor) step(in rollout.Input) (done bool) {
	var added []*services.Watcher
	for _, e := range s.rollout.Step(in) {
		switch e := e.(type) {
		case rollout.Add:
			w := services.NewWatcher(e.Config, e.Known, s.host, s)
			s.watchers[e.Config.Name] = w
			added = append(added, w)
		case rollout.Tell:
			s.watchers[e.Service].Post(e.Input)
		case rollout.ReadConfig:
			go func() { // ends when the file system answers
				var read rollout.ConfigRead
				if !s.host.Mistakes.Do("read the configuration", func() { read.Config, read.Problems = s.load() }) {
					read = rollout.ConfigRead{Problems: config.Problems{{Text: "internal error when hupwatch read the file; its log has the details"}}}
				}
				s.inbox.Put(read)
			}()
		case rollout.ClaimNames:
			path := s.nameFile
			go func() { // likewise
				claimed := rollout.NamesClaimed{Err: errors.New("internal error when hupwatch read the name file; its log has the details")}
				s.host.Mistakes.Do("claim the name file", func() { claimed.Names, claimed.Err = claimNameFile(path) })
				s.inbox.Put(claimed)
			}()
		case rollout.Accepted:
			s.asking.tell(e.Token, verdict{id: e.ID})
		case rollout.Rejected:
			s.asking.tell(e.Token, verdict{err: &control.Error{Message: e.Text, Reason: e.Reason, Problems: e.Problems}})
		case rollout.Apply:
			s.nameFile = e.Daemon.NameFile
			s.apply(e.Daemon)
		case rollout.Emit:
			s.host.Events.Publish(e.Event)
		case rollout.Finish:
			s.code, done = e.Code, true
		}
	}
	s.startWatchers(added)
	s.show(len(added) > 0)
	return done
}

// show puts a new Front in place if something has changed.
func (s *supervisor) show(added bool) {
	r, before := s.rollout, s.front.Load()
	if !added && before.Config == r.Config && before.ConfigError == r.ConfigError {
		return
	}
	now := &view.Front{Config: r.Config, ConfigError: r.ConfigError, Files: r.Files()}
	if !added {
		now.Watchers = before.Watchers
	} else {
		now.Watchers = slices.SortedFunc(maps.Values(s.watchers), func(a, b *services.Watcher) int { return strings.Compare(a.Name(), b.Name()) })
	}
	s.front.Store(now)
}

// recordLost has every service save again what lives of it.
func (s *supervisor) recordLost() {
	for _, w := range s.front.Load().Watchers {
		w.RecordLost()
	}
}

var errWatched = errors.New("the watchers are ended")

// startWatchers runs new watchers. A run.Group cannot grow, so watchers that begin
// together form a group of their own, a cohort, beside the earlier ones.
func (s *supervisor) startWatchers(cohort []*services.Watcher) {
	if len(cohort) == 0 {
		return
	}
	var g run.Group
	for _, w := range cohort {
		g.Add(w.Run, w.Interrupt)
	}
	// The keeper: the first actor to return ends the group, and none of the
	// watchers returns by itself.
	g.Add(func() error { <-s.ending.Done(); return errWatched }, func(error) {})
	s.cohorts.Go(func() { _ = g.Run() }) // always errWatched or nil
}
