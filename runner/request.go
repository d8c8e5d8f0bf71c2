package runner

import (
	"maps"
	"slices"
	"strings"

	"hupwatch/config"
	"hupwatch/services"
)

// input is one thing the rollout is told: the closed set of types below.
type input interface{ input() }

type (
	// boot brings up every service of the file hupwatch begins with.
	boot struct{ config *config.Config }
	// hangup asks for a reload of everything.
	hangup struct{}
	// namesAsked asks for a reload of the services in the name file.
	namesAsked struct{}
	// namesClaimed answers claimNames.
	namesClaimed struct {
		names []string
		err   error
	}
	// configRead answers readConfig; config is nil where problems say why.
	configRead struct {
		config   *config.Config
		problems config.Problems
	}
	// turnAsked, turnReturned, answered and ended are what services.Rollout says.
	turnAsked    struct{ turn }
	turnReturned struct{ turn }
	answered     struct {
		service string
		answer  services.Answer
	}
	ended struct{ service string }
	// downForGood says that an essential service will not come up again.
	downForGood struct {
		service string
		code    int
		now     services.Instant
	}
	// stop ends everything, gracefully; kill at once.
	stop struct {
		signal string
		now    services.Instant
	}
	kill struct{}
)

func (boot) input()         {}
func (hangup) input()       {}
func (namesAsked) input()   {}
func (namesClaimed) input() {}
func (configRead) input()   {}
func (turnAsked) input()    {}
func (turnReturned) input() {}
func (answered) input()     {}
func (ended) input()        {}
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
		input   services.Input
	}
	// add makes the watcher of a service that had none.
	add struct{ config *config.Service }
	// readConfig asks for the configuration file to be read.
	readConfig struct{}
	// claimNames asks for the name file to be taken and read.
	claimNames struct{}
	// apply puts daemon keys into force.
	apply struct{ daemon config.Daemon }
	// emit tells the world what happened.
	emit struct{ event services.Event }
	// finish says that nothing is left to do but to end with this exit code.
	finish struct{ code int }
)

func (tell) effect()       {}
func (add) effect()        {}
func (readConfig) effect() {}
func (claimNames) effect() {}
func (apply) effect()      {}
func (emit) effect()       {}
func (finish) effect()     {}

// request is a reload that somebody asked for, until every service it concerns
// has answered.
type request struct {
	id      uint64
	by      string
	waiting map[string]bool
	results map[services.Result]int
	broken  []string // the services that did not get the new release
}

func newRequest(id uint64, by string) *request {
	return &request{id: id, by: by, waiting: make(map[string]bool), results: make(map[services.Result]int)}
}

func (r *request) answer(service string, a services.Answer) {
	delete(r.waiting, service)
	r.results[a.Result]++
	switch a.Result {
	case services.ResultKeptOld, services.ResultPartial, services.ResultFailed, services.ResultAborted:
		r.broken = append(r.broken, service)
	default:
	}
}

// summary says how the whole reload ended.
func (r *request) summary() services.Event {
	slices.Sort(r.broken)
	return services.Event{
		Kind:    services.KindRequestDone,
		Reloads: []uint64{r.id},
		By:      r.by,
		Counts:  maps.Clone(r.results),
		Reason:  strings.Join(r.broken, ","),
	}
}
