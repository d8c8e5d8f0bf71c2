package services

import (
	"syscall"

	"hupwatch/config"
)

// Effect is one thing a Machine wants done: the closed set of types below. They
// are to be carried out in order.
type Effect interface{ effect() }

type (
	// Resolve asks for a release made of this configuration; or for Reuse,
	// where it is set and its directory and binary are still there. Resolved or
	// ResolveFailed answers it.
	Resolve struct {
		Attempt int
		Cause   Cause
		Config  *config.Service
		Reuse   *Release
	}
	// Launch asks for the process of a generation. Spawned or SpawnFailed
	// answers it, then Execed, Exited and Emptied follow.
	Launch struct {
		Generation int
		Instance   int
		Release    *Release
	}
	// Prove asks whether a generation listens on every address the active one
	// listens on. Proved answers it.
	Prove struct{ Generation, Active int }
	// Signal sends a signal to the main process of a generation, or to its
	// whole group.
	Signal struct {
		Generation int
		Signal     syscall.Signal
		Group      bool
	}
	// Pass sends the main process of a generation a signal that somebody asked for.
	Pass struct {
		Generation int
		Signal     syscall.Signal
	}
	// AskTurn asks for a turn among the services that want to reload; a Turn
	// grants it.
	AskTurn struct{ Ticket int }
	// ReturnTurn gives the turn back, or takes back the asking for it.
	ReturnTurn struct{ Ticket int }
	// Answer gives the result of the requests of these ids.
	Answer struct {
		IDs []uint64
		// Told is set where an event said so already.
		Told       bool
		Result     Result
		Reason     string
		Generation int
		PID        int
	}
	// KeepSockets closes the listening sockets of the service that nobody
	// needs any more: all but these.
	KeepSockets struct{ Listen []config.Listen }
	// Amend says that what serves does so with this configuration from now on, and
	// without a new process.
	Amend struct{ Config *config.Service }
	// Emit tells the world what happened.
	Emit struct{ Event Event }
	// DownForGood says that an essential service is not going to be started any
	// more: hupwatch is to end with this exit code.
	DownForGood struct{ Code int }
	// Ended says that a final Stop is done: nothing of the service lives, or
	// what does cannot be killed.
	Ended struct{}
)

func (Resolve) effect()     {}
func (Launch) effect()      {}
func (Prove) effect()       {}
func (Signal) effect()      {}
func (Pass) effect()        {}
func (AskTurn) effect()     {}
func (ReturnTurn) effect()  {}
func (Answer) effect()      {}
func (KeepSockets) effect() {}
func (Amend) effect()       {}
func (Emit) effect()        {}
func (DownForGood) effect() {}
func (Ended) effect()       {}

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
	// ResultRolledBack is said of a reload later.
	ResultRolledBack Result = "rolled_back"
	ResultAborted    Result = "aborted" // hupwatch ends, the service was removed, or somebody stopped it
)
