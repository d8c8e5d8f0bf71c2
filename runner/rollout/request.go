package rollout

import (
	"maps"
	"slices"
	"syscall"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
)

// Input is one thing the rollout is told: the closed set of types below.
type Input interface{ input() }

type (
	// Boot brings up every service of the file hupwatch begins with; Wanted is what
	// an earlier hupwatch was told of them.
	Boot struct {
		Config *config.Config
		Wanted map[string]lifecycle.Wanted
		// Known is what an earlier hupwatch knew of their releases.
		Known map[string]lifecycle.Record
	}
	// Hangup asks for a reload of everything.
	Hangup struct{}
	// Asked is what a client asks for. It is accepted, with an id, or rejected.
	Asked struct {
		Token uint64 // the client's
		Demand
	}
	// NamesAsked asks for a reload of the services in the name file.
	NamesAsked struct{}
	// NamesClaimed answers ClaimNames.
	NamesClaimed struct {
		Names []string
		Err   error
	}
	// ConfigRead answers ReadConfig; Config is nil if Problems say why.
	ConfigRead struct {
		Config   *config.Config
		Problems config.Problems
	}
	// TurnAsked and the next five are what a services.Coordinator is told: a service
	// wants to be among those that reload.
	TurnAsked struct{ Turn }
	// TurnReturned says that it does not any more.
	TurnReturned struct{ Turn }
	// Answered is the answer of a service to requests.
	Answered struct {
		Service string
		Answer  lifecycle.Answer
	}
	// Ended says that nothing of a service is left, after Stop.
	Ended struct{ Service string }
	// DependencyReady says whether the services that depend on one may start. Failed is
	// set if nothing that is under way will bring that about.
	DependencyReady struct {
		Service       string
		Ready, Failed bool
	}
	// DownForGood says that an essential service will not come up again.
	DownForGood struct {
		Service string
		Code    int
		Now     lifecycle.Instant
	}
	// Stop ends everything, gracefully.
	Stop struct {
		Signal string
		Now    lifecycle.Instant
	}
	// Kill ends at once what is left after that.
	Kill struct{}
)

func (Boot) input()            {}
func (Asked) input()           {}
func (Hangup) input()          {}
func (NamesAsked) input()      {}
func (NamesClaimed) input()    {}
func (ConfigRead) input()      {}
func (TurnAsked) input()       {}
func (TurnReturned) input()    {}
func (Answered) input()        {}
func (Ended) input()           {}
func (DependencyReady) input() {}
func (DownForGood) input()     {}
func (Stop) input()            {}
func (Kill) input()            {}

// Effect is one thing the rollout wants done: the closed set of types below.
type Effect interface{ effect() }

type (
	// Tell tells a watcher something.
	Tell struct {
		Service string
		Input   lifecycle.Input
	}
	// Add makes the watcher of a service that had none.
	Add struct {
		Config *config.Service
		Known  lifecycle.Record
	}
	// ReadConfig asks for the configuration file to be read.
	ReadConfig struct{}
	// ClaimNames asks for the name file to be taken and read.
	ClaimNames struct{}
	// Accepted answers Asked with the id of the request.
	Accepted struct{ Token, ID uint64 }
	// Rejected answers Asked if nothing is done.
	Rejected struct {
		Token    uint64
		Reason   control.Reason
		Text     string
		Problems []string
	}
	// Apply puts daemon keys into force.
	Apply struct{ Daemon config.Daemon }
	// Emit tells the world what happened.
	Emit struct{ Event lifecycle.Event }
	// Finish says that nothing is left to do but to end with this exit code.
	Finish struct{ Code int }
)

func (Tell) effect()       {}
func (Add) effect()        {}
func (ReadConfig) effect() {}
func (ClaimNames) effect() {}
func (Accepted) effect()   {}
func (Rejected) effect()   {}
func (Apply) effect()      {}
func (Emit) effect()       {}
func (Finish) effect()     {}

// Verb is what can be asked for.
type Verb string

// The verbs.
const (
	VerbReload   Verb = control.VerbReload
	VerbStart    Verb = control.VerbStart
	VerbStop     Verb = control.VerbStop
	VerbRestart  Verb = control.VerbRestart
	VerbSignal   Verb = control.VerbSignal
	VerbRollback Verb = control.VerbRollback
)

// Demand is what somebody asks for.
type Demand struct {
	What    Verb
	By      string
	Names   []string // nil for all
	Changed bool     // leave alone what would be started with nothing new
	Prune   bool     // stop what is not in the file any more, however much that is
	Signal  syscall.Signal
	To      string // the directory of a release, empty for the one before
}

// forService is what is asked of one service.
func (d Demand) forService(id uint64, s *config.Service) lifecycle.Input {
	switch d.What {
	case VerbStart:
		return lifecycle.Up{ID: id, Config: s}
	case VerbStop:
		return lifecycle.Down{ID: id}
	case VerbRestart:
		return lifecycle.Restart{ID: id, Config: s}
	case VerbSignal:
		return lifecycle.Forward{ID: id, Signal: d.Signal}
	case VerbRollback:
		return lifecycle.RollBack{ID: id, To: d.To}
	case VerbReload:
	}
	unnamed := d.Names == nil && s.ReloadWhen == config.ReloadChanged
	return lifecycle.Reload{ID: id, Config: s, Changed: d.Changed || unnamed}
}

// request is what somebody asked for, until every service it concerns has
// answered.
type request struct {
	Demand
	id      uint64
	waiting map[string]bool
	later   []string // of those, the ones that are asked once others have answered
	results map[lifecycle.Result]int
	broken  []string // the services that did not get the new release
}

func newRequest(id uint64, d Demand) *request {
	return &request{Demand: d, id: id, waiting: make(map[string]bool), results: make(map[lifecycle.Result]int)}
}

func (r *request) answer(service string, a lifecycle.Answer) {
	delete(r.waiting, service)
	r.results[a.Result]++
	if a.Result.Failed() || a.Result == lifecycle.ResultAborted {
		r.broken = append(r.broken, service)
	}
}

// summary says how the whole reload ended.
func (r *request) summary() lifecycle.Event {
	slices.Sort(r.broken)
	return lifecycle.Event{
		Kind:    lifecycle.KindRequestDone,
		Reloads: []uint64{r.id},
		By:      r.By,
		Verb:    string(r.What),
		Counts:  maps.Clone(r.results),
		Names:   r.broken,
	}
}
