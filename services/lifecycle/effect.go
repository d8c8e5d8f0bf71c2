package lifecycle

import (
	"syscall"

	"hupwatch/config"
	"hupwatch/services/release"
)

// Effect is one thing a Machine wants done: the closed set of types below. They
// are to be carried out in order.
type Effect interface{ effect() }

type (
	// Resolve asks for a release made of this configuration. If Reuse is set and its
	// directory and binary are still there, it asks for that one, else for the first of
	// Older of which that is so. Only says that no other one will do. Resolved or
	// ResolveFailed answers it.
	Resolve struct {
		Attempt int
		Cause   Cause
		Config  *config.Service
		Reuse   *release.Release
		Older   []*release.Release
		Only    bool
		// Active is the generation that serves meanwhile, or 0; Serving is its release.
		Active  int
		Serving *release.Release
	}
	// Launch asks for the process of a generation. Spawned or SpawnFailed answers it,
	// then Execed, Exited and Emptied follow.
	Launch struct {
		Generation int
		Instance   int
		Release    *release.Release
		// MayWait is set if something serves: the start fails then if it cannot be
		// written to disk first.
		MayWait bool
	}
	// Prove asks whether a generation is ready. Proved answers it.
	Prove struct {
		Generation int
		Instance   int
		Release    *release.Release
		Way        Way
		// Others are generations that run beside it and may answer in its place.
		Others []int
		// Ready is how to probe it, AtOnce with how many connections at the same time.
		Ready  *config.Ready
		AtOnce int
		// Waits are the sockets on which it must wait for connections.
		Waits []config.Listen
		// Active is the generation whose addresses it must listen on. Own is a path
		// that only that one was to open.
		Active int
		Own    string
	}
	// Observe asks on which of these sockets a generation that serves waits for
	// connections. Observed answers it, after several looks if need be.
	Observe struct {
		Generation int
		Listen     []config.Listen
		Others     []int
	}
	// RunHook asks for one of the service's own commands to be run. HookDone answers
	// it, unless KillHook comes first.
	RunHook struct {
		Hook
		Command    []string
		Generation int
		Instance   int
		PID        int
		Release    *release.Release
		// Result and Error are what became of a reload.
		Result Result
		Error  string
	}
	// KillHook ends such a command at once.
	KillHook struct{ Token int }
	// Publish makes the public path lead to a generation. Published answers it: if Old
	// is set, when no connection is left that waits for that generation, or when that
	// has taken QueuePatience.
	Publish struct {
		Generation int
		Path       string
		Old        int
	}
	// Retract removes the own path of a published generation that is gone.
	Retract struct {
		Generation int
		Path       string
	}
	// Guard keeps the paths of the sockets of the service leading where they lead now,
	// until the next Guard. Kept are those that a generation that serves has opened
	// itself. Held are those that an incoming one is going to open: until Show they
	// lead to the active one.
	Guard struct {
		On         bool
		Held, Kept []string
	}
	// Show makes the paths lead to what the incoming generation has opened.
	Show struct{}
	// Restore makes them lead to what they led to before that generation was started.
	Restore struct{}
	// TellDependents says whether the services that depend on this one may start.
	// Failed is set if nothing that is under way will bring that about.
	TellDependents struct{ Ready, Failed bool }
	// Signal sends a signal to the main process of a generation, or to its whole group.
	Signal struct {
		Generation int
		Signal     syscall.Signal
		Group      bool
		MainPID    int // gets it instead of the main process, if not 0
	}
	// Pass sends the main process of a generation a signal that somebody asked for.
	Pass struct {
		Generation int
		Signal     syscall.Signal
		MainPID    int
	}
	// AskTurn asks for a turn among the services that are to be reloaded. Turn grants
	// it.
	AskTurn struct{ Ticket int }
	// ReturnTurn returns the turn, or withdraws AskTurn.
	ReturnTurn struct{ Ticket int }
	// Answer gives the result of the requests with these ids.
	Answer struct {
		IDs []uint64
		// Told is set if an event has said so already.
		Told       bool
		Result     Result
		Reason     string
		Generation int
		PID        int
	}
	// KeepSockets closes the listening sockets of the service but these, and removes
	// its public paths but these. Alone is set if no generation lives, which could still
	// serve one of those that are closed.
	KeepSockets struct {
		Listen  []config.Listen
		Publish []string
		Alone   bool
	}
	// Remember writes down what is known of the service, for after a reboot.
	Remember struct{ Record Record }
	// Amend says that what serves has this configuration from now on, without a new
	// process.
	Amend struct{ Config *config.Service }
	// Emit tells the world what happened. WithTail asks for the last lines that the
	// generation wrote to be told too; Forget says that nobody is going to ask for what
	// the service wrote.
	Emit struct {
		Event    Event
		WithTail bool
		Forget   bool
	}
	// DownForGood says that an essential service is not going to be started any more:
	// hupwatch is to end with this exit code.
	DownForGood struct{ Code int }
	// Ended says that a final stop is done: nothing of the service runs, or what does
	// cannot be killed.
	Ended struct{}
)

func (Resolve) effect()        {}
func (Launch) effect()         {}
func (Prove) effect()          {}
func (Observe) effect()        {}
func (RunHook) effect()        {}
func (KillHook) effect()       {}
func (Publish) effect()        {}
func (Retract) effect()        {}
func (Guard) effect()          {}
func (Show) effect()           {}
func (Restore) effect()        {}
func (TellDependents) effect() {}
func (Signal) effect()         {}
func (Pass) effect()           {}
func (AskTurn) effect()        {}
func (ReturnTurn) effect()     {}
func (Answer) effect()         {}
func (KeepSockets) effect()    {}
func (Remember) effect()       {}
func (Amend) effect()          {}
func (Emit) effect()           {}
func (DownForGood) effect()    {}
func (Ended) effect()          {}

// Result is what became of a request, for one service.
type Result string

// The results.
const (
	ResultPromoted  Result = "promoted"  // the new generation serves, the old one drains
	ResultStarted   Result = "started"   // nothing served before; now the new generation does
	ResultStopped   Result = "stopped"   // it was to stop and did
	ResultSignalled Result = "signalled" // it was sent the signal
	ResultSkipped   Result = "skipped"   // it is wanted down, or there is nothing new
	ResultKeptOld   Result = "kept_old"  // the new generation was no good; the old one serves on
	ResultPartial   Result = "partial"   // some instances have the new release, some were kept
	ResultFailed    Result = "failed"    // the new generation was no good and nothing serves
	// ResultRolledBack can be the result of a reload that was promoted.
	ResultRolledBack Result = "rolled_back"
	ResultAborted    Result = "aborted" // hupwatch ends, the service was removed, or somebody stopped it
)

// Failed reports whether the new generation was no good, in one instance at least.
func (r Result) Failed() bool {
	switch r {
	case ResultKeptOld, ResultPartial, ResultFailed, ResultRolledBack:
		return true
	default:
		return false
	}
}
