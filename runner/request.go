package runner

import (
	"maps"
	"slices"
	"syscall"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
)

// input is one thing the rollout is told: the closed set of types below.
type input interface{ input() }

type (
	// boot brings up every service of the file hupwatch begins with; wanted is what
	// an earlier hupwatch was told of them.
	boot struct {
		config *config.Config
		wanted map[string]lifecycle.Wanted
		// known is what an earlier hupwatch knew of their releases.
		known map[string]lifecycle.Record
	}
	// hangup asks for a reload of everything.
	hangup struct{}
	// asked is what a client asks for. It is accepted, with an id, or rejected.
	asked struct {
		token uint64 // the client's
		demand
	}
	// namesAsked asks for a reload of the services in the name file.
	namesAsked struct{}
	// namesClaimed answers claimNames.
	namesClaimed struct {
		names []string
		err   error
	}
	// configRead answers readConfig; config is nil if problems say why.
	configRead struct {
		config   *config.Config
		problems config.Problems
	}
	// turnAsked, turnReturned, answered and ended are what services.Rollout says.
	turnAsked    struct{ turn }
	turnReturned struct{ turn }
	answered     struct {
		service string
		answer  lifecycle.Answer
	}
	ended struct{ service string }
	// standing says whether the services that depend on one may start.
	standing struct {
		service string
		ready   bool
	}
	// downForGood says that an essential service will not come up again.
	downForGood struct {
		service string
		code    int
		now     lifecycle.Instant
	}
	// stop ends everything, gracefully; kill at once.
	stop struct {
		signal string
		now    lifecycle.Instant
	}
	kill struct{}
)

func (boot) input()         {}
func (asked) input()        {}
func (hangup) input()       {}
func (namesAsked) input()   {}
func (namesClaimed) input() {}
func (configRead) input()   {}
func (turnAsked) input()    {}
func (turnReturned) input() {}
func (answered) input()     {}
func (ended) input()        {}
func (standing) input()     {}
func (downForGood) input()  {}
func (stop) input()         {}
func (kill) input()         {}

// turn is one service's claim to be among those that reload.
type turn struct {
	service string
	ticket  int
}

// effect is one thing the rollout wants done: the closed set of types below.
type effect interface{ effect() }

type (
	// tell tells a watcher something.
	tell struct {
		service string
		input   lifecycle.Input
	}
	// add makes the watcher of a service that had none.
	add struct {
		config *config.Service
		known  lifecycle.Record
	}
	// readConfig asks for the configuration file to be read.
	readConfig struct{}
	// claimNames asks for the name file to be taken and read.
	claimNames struct{}
	// accepted and rejected answer asked.
	accepted struct{ token, id uint64 }
	rejected struct {
		token    uint64
		reason   control.Reason
		text     string
		problems []string
	}
	// apply puts daemon keys into force.
	apply struct{ daemon config.Daemon }
	// emit tells the world what happened.
	emit struct{ event lifecycle.Event }
	// finish says that nothing is left to do but to end with this exit code.
	finish struct{ code int }
)

func (tell) effect()       {}
func (add) effect()        {}
func (readConfig) effect() {}
func (claimNames) effect() {}
func (accepted) effect()   {}
func (rejected) effect()   {}
func (apply) effect()      {}
func (emit) effect()       {}
func (finish) effect()     {}

// verb is what can be asked for.
type verb string

const (
	verbReload  verb = control.VerbReload
	verbStart   verb = control.VerbStart
	verbStop    verb = control.VerbStop
	verbRestart verb = control.VerbRestart
	verbSignal  verb = control.VerbSignal
	verbBack    verb = control.VerbRollback
)

// demand is what somebody asks for.
type demand struct {
	what    verb
	by      string
	names   []string // nil for all
	changed bool     // leave alone what would be started with nothing new
	signal  syscall.Signal
	to      string // the directory of a release, empty for the one before
}

// forService is what is asked of one service.
func (d demand) forService(id uint64, s *config.Service) lifecycle.Input {
	switch d.what {
	case verbStart:
		return lifecycle.Up{ID: id, Config: s}
	case verbStop:
		return lifecycle.Down{ID: id}
	case verbRestart:
		return lifecycle.Restart{ID: id, Config: s}
	case verbSignal:
		return lifecycle.Forward{ID: id, Signal: d.signal}
	case verbBack:
		return lifecycle.RollBack{ID: id, To: d.to}
	case verbReload:
	}
	unnamed := d.names == nil && s.ReloadWhen == config.ReloadChanged
	return lifecycle.Reload{ID: id, Config: s, Changed: d.changed || unnamed}
}

// request is what somebody asked for, until every service it concerns has
// answered.
type request struct {
	demand
	id      uint64
	waiting map[string]bool
	later   []string // of those, the ones that are asked once others have answered
	results map[lifecycle.Result]int
	broken  []string // the services that did not get the new release
}

func newRequest(id uint64, d demand) *request {
	return &request{demand: d, id: id, waiting: make(map[string]bool), results: make(map[lifecycle.Result]int)}
}

func (r *request) answer(service string, a lifecycle.Answer) {
	delete(r.waiting, service)
	r.results[a.Result]++
	switch a.Result {
	case lifecycle.ResultKeptOld, lifecycle.ResultRolledBack, lifecycle.ResultPartial, lifecycle.ResultFailed, lifecycle.ResultAborted:
		r.broken = append(r.broken, service)
	default:
	}
}

// summary says how the whole reload ended.
func (r *request) summary() lifecycle.Event {
	slices.Sort(r.broken)
	return lifecycle.Event{
		Kind:    lifecycle.KindRequestDone,
		Reloads: []uint64{r.id},
		By:      r.by,
		Verb:    string(r.what),
		Counts:  maps.Clone(r.results),
		Names:   r.broken,
	}
}
