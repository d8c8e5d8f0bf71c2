package lifecycle

import (
	"syscall"
	"time"

	"hupwatch/config"
	"hupwatch/services/release"
)

// Input is one thing a Machine is told: the closed set of types below.
type Input interface{ input() }

type (
	// Declare says that the service is in the file, with this configuration. It brings
	// back a service that had been removed, and starts nothing.
	Declare struct{ Config *config.Service }
	// Start starts the service if it is wanted up, without waiting for a turn, as
	// hupwatch does when it begins. Wanted is what an earlier hupwatch was told.
	Start struct{ Wanted Wanted }
	// Reload asks for a new generation with this configuration. It is answered exactly
	// once, by the next reload that begins.
	Reload struct {
		ID     uint64
		Config *config.Service
		// Changed leaves alone what would be started with nothing new.
		Changed bool
	}
	// Up asks that the service run, now and until somebody says otherwise. Up, Down,
	// Restart, Forward and RollBack are each answered exactly once.
	Up struct {
		ID     uint64
		Config *config.Service
	}
	// Down asks that the service stop, and stay down.
	Down struct{ ID uint64 }
	// Restart asks that the service stop, and be started when nothing of it is left.
	Restart struct {
		ID     uint64
		Config *config.Service
	}
	// Forward passes a signal on to the main process of every active instance.
	Forward struct {
		ID     uint64
		Signal syscall.Signal
	}
	// RollBack asks for a release that served before: the one in that directory, or the
	// newest before the one that serves.
	RollBack struct {
		ID uint64
		To string
	}
	// Turn grants an AskTurn.
	Turn struct{ Ticket int }
	// Stop ends every generation. Nothing of it lives on after Until. A non-zero ID is
	// answered when everything has gone. Why is StopRemoved, StopShutdown or StopLeave:
	// if somebody asked for it, it is a Down or a Restart.
	Stop struct {
		ID    uint64
		Until Instant
		Why   StopCause
	}
	// Kill sends KILL to every generation that drains. It follows a Stop, after which
	// all of them do.
	Kill struct{}
	// Tick says that a deadline may have passed.
	Tick struct{}

	// Await says which services must be ready before this one is started; none says
	// that it may. Failed are those of them that will not be ready unless somebody does
	// something about it.
	Await struct{ Names, Failed []string }

	// Resolved answers Resolve. Reused is set for an earlier release. Paths are those
	// of the unix sockets that the active generation has opened itself.
	Resolved struct {
		Attempt int
		Release *release.Release
		Reused  bool
		Paths   []string
	}
	// ResolveFailed answers Resolve.
	ResolveFailed struct {
		Attempt int
		Reason  string
	}
	// Spawned says that a generation has a process.
	Spawned struct{ Generation, PID int }
	// SpawnFailed says that a generation got no process.
	SpawnFailed struct {
		Generation int
		Reason     string
	}
	// Execed says that the command of a generation runs.
	Execed struct{ Generation int }
	// Proved answers Prove. Failure is why a probe failed; Own is set if this
	// generation itself answered so, Other if another one took the connection, Late if
	// nobody was seen to answer in time. Missing are the addresses on which it does not
	// wait, or on which only the active generation listens. Needless is set if that
	// listens on none. Unseen is why not everything could be seen.
	Proved struct {
		Generation int
		Failure    string
		Own, Other bool
		Late       bool
		Missing    []string
		Needless   bool
		Unseen     string
	}
	// Observed answers Observe. Seen are the addresses on which the generation was seen
	// to wait, Unseen is why no more could be seen.
	Observed struct {
		Generation int
		Seen       []string
		Unseen     string
	}
	// Notified is what a generation says about itself.
	Notified struct {
		Generation int
		Ready      bool
		Stopping   bool
		Extend     time.Duration // how much more time it wants, from now on
		MainPID    int           // one of its own processes that is to get its signals
		Status     string
		// Failure is why it can never be ready.
		Failure string
	}
	// HookDone says that a command has ended. Failure is empty if it did well.
	HookDone struct {
		Token   int
		Failure string
		Tail    []string
	}
	// Published answers Publish. Failure is empty if it is done.
	Published struct {
		Generation int
		Failure    string
	}
	// Exited says that the main process of a generation has ended. InUse is set if it
	// said that an address it wanted to open is in use.
	Exited struct {
		Generation int
		Exit       Exit
		InUse      bool
	}
	// Emptied says that nothing is left of the process group of a generation whose main
	// process had ended before.
	Emptied struct{ Generation int }
)

func (Declare) input()       {}
func (Start) input()         {}
func (Reload) input()        {}
func (Up) input()            {}
func (Down) input()          {}
func (Restart) input()       {}
func (Forward) input()       {}
func (RollBack) input()      {}
func (Turn) input()          {}
func (Stop) input()          {}
func (Kill) input()          {}
func (Tick) input()          {}
func (Resolved) input()      {}
func (ResolveFailed) input() {}
func (Spawned) input()       {}
func (SpawnFailed) input()   {}
func (Execed) input()        {}
func (Proved) input()        {}
func (Observed) input()      {}
func (Await) input()         {}
func (Notified) input()      {}
func (HookDone) input()      {}
func (Published) input()     {}
func (Exited) input()        {}
func (Emptied) input()       {}
