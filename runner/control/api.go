// Package control is what hupwatch and its clients say to each other: HTTP and
// JSON over the socket control.sock in runtime_dir.
//
// Other people's programs rely on these types, so they are kept apart from all
// internal ones. Fields may be added to them, none is removed. An empty string, an
// empty list or a zero means that there is nothing to say.
package control

// What can be asked for with a POST.
const (
	VerbReload  = "reload"
	VerbStart   = "start"
	VerbStop    = "stop"
	VerbRestart = "restart"
	VerbSignal  = "signal"
	// VerbRollback starts a release that served before, as a reload starts a new one.
	VerbRollback = "rollback"
)

// What a HUP would do to a service, as GET /v1/plan says.
const (
	ActionReload = "reload"
	ActionStart  = "start"
	ActionStop   = "stop"
	ActionSkip   = "skip"
)

// Status answers GET /v1/status.
type Status struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
	Config  string `json:"config"`
	// ConfigError is why the file was refused when it was last read.
	ConfigError string    `json:"config_error"`
	ConfigHash  string    `json:"config_hash"`
	Services    []Service `json:"services"`
}

// Names returns the names of the services.
func (s Status) Names() []string {
	names := make([]string, len(s.Services))
	for i, svc := range s.Services {
		names[i] = svc.Name
	}
	return names
}

// Service is how one service is. GET /v1/services/NAME answers with it.
type Service struct {
	Name string `json:"name"`
	// State is stopped, waiting, starting, running, backoff, stopping, exited or
	// failed.
	State string `json:"state"`
	// Wanted is up or down.
	Wanted     string     `json:"wanted"`
	Generation int        `json:"generation"`
	PID        int        `json:"pid"`
	Instances  []Instance `json:"instances"`
	// Release is the directory the active generation runs in.
	Release string `json:"release"`
	// Since is when the state began: for a running one, when it became active.
	Since Time `json:"since"`
	// Awaits are the services that are to be ready before this one comes up.
	Awaits []string `json:"awaits"`
	// Lacking are the instances that do not serve, if there are several.
	Lacking []Lacking `json:"lacking"`
	// Restarts counts the starts that nobody asked for.
	Restarts int  `json:"restarts"`
	LastExit Exit `json:"last_exit"`
	// LastTail are the last lines of the generation that ended by itself last.
	LastTail []string `json:"last_tail"`
	// NextStartAt is when it is started again by itself.
	NextStartAt Time       `json:"next_start_at"`
	Incoming    []Incoming `json:"incoming"`
	Draining    []Draining `json:"draining"`
	LastReload  Outcome    `json:"last_reload"`
	// Releases are those that were promoted last, the newest first. If what serves is
	// no good, hupwatch goes back to one of them.
	Releases []Release `json:"releases"`
	// Refused is the last release that was found to be no good. Instead is why
	// hupwatch, when it began, did not start the configured release but another one.
	Refused Refused `json:"refused"`
	Instead string  `json:"instead"`
	// ProbationUntil is when the probation of the promoted release ends: until then
	// hupwatch can take it back by itself.
	ProbationUntil Time `json:"probation_until"`
	// Unseen is why it cannot be seen whether a new generation serves: then only its
	// warm-up counts.
	Unseen string `json:"unseen"`
	// MemoryBytes is the resident memory of all processes of the service; only
	// if the request says ?memory=1.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
}

// Release is one that was promoted.
type Release struct {
	Release string `json:"release"` // the directory it runs in
	// Good is set once a generation of it served until it was told to stop.
	Good bool `json:"good"`
}

// Refused is a release that is no good.
type Refused struct {
	Release string `json:"release"`
	Error   string `json:"error"`
	// Tail are the lines that tell why.
	Tail []string `json:"tail"`
}

// Instance is the active generation of one instance.
type Instance struct {
	Instance   int    `json:"instance"`
	Generation int    `json:"generation"`
	PID        int    `json:"pid"`
	Release    string `json:"release,omitempty"`
	Since      Time   `json:"since,omitzero"`
}

// Lacking is an instance that is to serve and does not.
type Lacking struct {
	Instance int `json:"instance"`
	// State is starting, backoff, exited or failed.
	State       string `json:"state"`
	LastExit    Exit   `json:"last_exit"`
	NextStartAt Time   `json:"next_start_at"`
}

// Incoming is a generation on its way to become the active one.
type Incoming struct {
	Instance   int `json:"instance"`
	Generation int `json:"generation"`
	PID        int `json:"pid"`
	// Phase is resolving, preparing (before_start runs), waiting (for the old one to
	// be gone), starting, proving, warming, publishing, overlapping or handover
	// (before_stop of the old one runs).
	Phase string `json:"phase"`
	Since Time   `json:"since"`
	Until Time   `json:"until"` // when that phase ends, or is given up
	// Why is what it lacks to be ready, and Status what it says of itself.
	Why    string `json:"why,omitempty"`
	Status string `json:"status,omitempty"`
}

// Draining is a generation that was told to stop and finishes its work.
type Draining struct {
	Instance   int  `json:"instance"`
	Generation int  `json:"generation"`
	PID        int  `json:"pid"`
	Since      Time `json:"since"`
	KillAt     Time `json:"kill_at"`
	// Hook is before_stop while that runs: the stop signal comes after it.
	Hook string `json:"hook,omitempty"`
	// Reloads are the ids of the requests it was told to stop for.
	Reloads []uint64 `json:"reloads,omitempty"`
}

// Exit is how a process ended.
type Exit struct {
	Code   int    `json:"code"`
	Signal string `json:"signal"`
	At     Time   `json:"at"`
	// Reason says why the program never ran.
	Reason string `json:"reason,omitempty"`
}

// Outcome is what became of a request, for one service.
type Outcome struct {
	// Result is promoted, started, stopped, signalled, skipped, kept_old,
	// rolled_back, partial, failed or aborted.
	Result string `json:"result"`
	Error  string `json:"error"`
	// Instance is which one failed, if there are several.
	Instance int `json:"instance,omitempty"`
	// Tail are the last lines the generation that failed wrote.
	Tail []string `json:"tail"`
	// Release is the one it was about, and FailedGeneration the one that was no good.
	Release          string `json:"release,omitempty"`
	FailedGeneration int    `json:"failed_generation,omitempty"`
	StartedAt        Time   `json:"started_at"`
	EndedAt          Time   `json:"ended_at"`
	// ReadySeconds is how long the new generation took to be seen ready or, if
	// nobody said how to see that, to be promoted; DrainSeconds how long the old one
	// took to be gone.
	ReadySeconds float64 `json:"ready_seconds"`
	DrainSeconds float64 `json:"drain_seconds"`
	Reload       uint64  `json:"reload"`
	By           string  `json:"by"`
}

// Request is the body of every POST.
type Request struct {
	// Services are the ones to reload; none means all. In a POST for one service
	// it is left out.
	Services []string `json:"services,omitempty"`
	// Changed leaves alone the services that would be started with nothing new.
	Changed bool `json:"changed,omitempty"`
	// Prune stops the services that are not in the file any more, also if those are most
	// of all and their files are gone. Without it such a reload is refused.
	Prune bool `json:"prune,omitempty"`
	// Key makes a request that is sent again the same reload, not a second one.
	Key string `json:"key,omitempty"`
	// NoDrain ends the answer with the last result: it does not wait until the old
	// generations are gone.
	NoDrain bool `json:"no_drain,omitempty"`
	// Probation ends the answer once what was promoted cannot be taken back any more.
	Probation bool `json:"probation,omitempty"`
	// NoWait ends the answer as soon as there is an id to ask for later.
	NoWait bool `json:"no_wait,omitempty"`
	// Connections asks for a line a second about each generation that drains, and
	// about what is incoming or waits for other services if that has changed.
	Connections bool `json:"connections,omitempty"`
	// Signal is the name of the signal to send, with or without SIG.
	Signal string `json:"signal,omitempty"`
	// To is the directory of the release to roll back to; none means the newest that
	// served well before this one. The end of a path will do.
	To string `json:"to,omitempty"`
}

// Event is one thing that happened: a line of the answer to a POST, and of GET
// /v1/events.
type Event struct {
	Seq        uint64   `json:"seq,omitempty"`
	At         Time     `json:"at"`
	Kind       string   `json:"kind"` // as the log's msg says it; draining; incoming; result
	Service    string   `json:"service,omitempty"`
	Instance   int      `json:"instance,omitempty"`
	Generation int      `json:"generation,omitempty"`
	PID        int      `json:"pid,omitempty"`
	Role       string   `json:"role,omitempty"`    // of the generation: incoming, active or old
	Reloads    []uint64 `json:"reloads,omitempty"` // the ids of the requests it belongs to
	Verb       string   `json:"verb,omitempty"`    // what was asked for, as in Reload.What
	By         string   `json:"by,omitempty"`
	// Services are those asked for, none means all. In "reload done" they are those
	// that did not get it, in "waiting for others" those that are waited for.
	Services []string `json:"services,omitempty"`
	Cause    string   `json:"cause,omitempty"` // why the generation was started: start, reload, restart
	Result   string   `json:"result,omitempty"`
	Error    string   `json:"error,omitempty"` // or a reason that is no error
	Tail     []string `json:"tail,omitempty"`
	Release  string   `json:"release,omitempty"`
	// Serving is the generation that serves after a reload, and ServingRelease its
	// release; or ServingRelease is the one that is started instead of Release.
	Serving        int    `json:"serving,omitempty"`
	ServingRelease string `json:"serving_release,omitempty"`
	Signal         string `json:"signal,omitempty"`
	Exit           *Exit  `json:"exit,omitempty"`
	Hook           string `json:"hook,omitempty"` // before_start, before_stop, after_reload
	Path           string `json:"path,omitempty"` // of a socket that was put back
	Version        string `json:"version,omitempty"`
	// Phase and Status are those of an incoming generation; Error is then what it
	// lacks.
	Phase  string `json:"phase,omitempty"`
	Status string `json:"status,omitempty"`
	// Seconds is how long it took, WaitSeconds how long it will take at most.
	Seconds     float64 `json:"seconds,omitempty"`
	WaitSeconds float64 `json:"wait_seconds,omitempty"`
	// Connections is how many connections a draining generation holds; nothing
	// if that cannot be known.
	Connections *int `json:"connections,omitempty"`
	// Counts says how many services ended with each result.
	Counts map[string]int `json:"counts,omitempty"`
	// Lost is how many events before this one were lost because the reader was too
	// slow.
	Lost int `json:"lost,omitempty"`
	// Reload is set in the last line of the answer to a POST, of the kind result. It
	// is not Done with NoWait, or if hupwatch ends first.
	Reload *Reload `json:"reload,omitempty"`
}

// Reload is a request and what became of it. GET /v1/reloads/ID answers with it.
type Reload struct {
	ID uint64 `json:"id"`
	// What is reload, start, stop, restart, signal or rollback.
	What      string          `json:"what"`
	By        string          `json:"by"`
	StartedAt Time            `json:"started_at"`
	EndedAt   Time            `json:"ended_at"`
	Done      bool            `json:"done"`
	Services  []ServiceReload `json:"services"`
}

// ServiceReload is what a request came to for one service.
type ServiceReload struct {
	Name string `json:"name"`
	Outcome
	// Generation and PID are those of what serves now.
	Generation int    `json:"generation"`
	PID        int    `json:"pid"`
	State      string `json:"state"`
	Wanted     string `json:"wanted"`
	Exit       *Exit  `json:"exit,omitempty"` // how the one that failed ended
}

// Plan answers GET /v1/plan: what a HUP would do now.
type Plan struct {
	Config   string        `json:"config"`
	Problems []string      `json:"problems"` // if there are any, it would do nothing
	Services []PlanService `json:"services"`
}

// PlanService is what a HUP would do to one service.
type PlanService struct {
	Name string `json:"name"`
	// Action is reload, start, stop or skip.
	Action string `json:"action"`
	// Why says what is new, or why it is skipped.
	Why string `json:"why"`
	// NothingNew says that it would be started with nothing new: a reload of what has
	// changed would skip it.
	NothingNew bool `json:"nothing_new"`
	// Changed are the keys that differ from what runs.
	Changed []string `json:"changed"`
	// Notes are what to know before: that nothing serves for a while, or which keys
	// would not be in force.
	Notes []string `json:"notes"`
	// Error is why the new release could not even be made.
	Error string `json:"error"`
}

// Line is one line of output. GET /v1/services/NAME/logs answers with them.
type Line struct {
	At         Time   `json:"at"`
	Service    string `json:"service"`
	Instance   int    `json:"instance,omitempty"`
	Generation int    `json:"generation"`
	Stream     string `json:"stream"` // stdout or stderr
	Text       string `json:"text"`
	// Lost is how many lines before this one were lost.
	Lost int `json:"lost,omitempty"`
}
