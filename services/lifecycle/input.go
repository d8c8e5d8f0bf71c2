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
	// Declare says that the service is in the file, with this configuration,
	// and brings back one that had been removed from it. It starts nothing.
	Declare struct{ Config *config.Service }
	// Start brings the service up if it is wanted up, without waiting for a
	// turn: what happens to every service when hupwatch begins. Wanted says what an
	// earlier hupwatch was told.
	Start struct{ Wanted Wanted }
	// Reload asks for a new generation with this configuration. It is answered
	// exactly once, by the reload that begins after it.
	Reload struct {
		ID     uint64
		Config *config.Service
		// Changed leaves what serves alone if it would be started with nothing
		// new.
		Changed bool
	}
	// Up asks that the service run, now and until somebody says otherwise. It is
	// answered exactly once, as the next three are.
	Up struct {
		ID     uint64
		Config *config.Service
	}
	// Down asks that it stop, and stay down.
	Down struct{ ID uint64 }
	// Restart asks that it stop, and is started when all of it has gone.
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
	// last one before what serves. It is answered exactly once.
	RollBack struct {
		ID uint64
		To string
	}
	// Turn grants what AskTurn asked for.
	Turn struct{ Ticket int }
	// Stop ends every generation. Nothing of it lives on after Until. A
	// non-zero ID is answered when everything has gone. Why is not that somebody
	// asked: those are Down and Restart.
	Stop struct {
		ID    uint64
		Until Instant
		Why   StopCause
	}
	// Kill ends every generation with KILL, now.
	Kill struct{}
	// Tick says that a deadline may have passed.
	Tick struct{}

	// Await holds back what is to come up until nothing is in the way any more:
	// these services are to be ready first.
	Await struct{ Names []string }

	// Resolved answers Resolve. Reused tells that the release is an earlier one.
	// Paths are those of the unix sockets that the active generation opened itself.
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
	// Spawned says that the process of a generation is there.
	Spawned struct{ Generation, PID int }
	// SpawnFailed says that a generation got no process.
	SpawnFailed struct {
		Generation int
		Reason     string
	}
	// Execed says that the command of a generation runs.
	Execed struct{ Generation int }
	// Proved answers Prove: Failure says why a probe failed, Own that it was this
	// generation itself that answered so, and Other that it failed since another one
	// took the connection. Missing are the addresses on
	// which it does not wait, or that only the active generation listens on;
	// Needless says that this listens on none. Unseen says why not all could be seen.
	Proved struct {
		Generation int
		Failure    string
		Own, Other bool
		Missing    []string
		Needless   bool
		Unseen     string
	}
	// Observed answers Observe: Seen are the addresses on which it was seen to wait,
	// Unseen says why no more could be seen.
	Observed struct {
		Generation int
		Seen       []string
		Unseen     string
	}
	// Done is what a generation says of itself.
	Notified struct {
		Generation int
		Ready      bool
		Stopping   bool
		Extend     time.Duration // how much more time it wants, from now on
		MainPID    int           // one of its own processes that is to get its signals
		Status     string
		// Failure says why it can never be ready.
		Failure string
	}
	// HookDone says that a command has ended; Failure is empty if it did well.
	HookDone struct {
		Token   int
		Failure string
		Tail    []string
	}
	// Published answers Publish; Failure is empty if it is done.
	Published struct {
		Generation int
		Failure    string
	}
	// Exited says that the main process of a generation ended.
	Exited struct {
		Generation int
		Exit       Exit
	}
	// Emptied says that nothing is left of the process group of a generation
	// whose main process had ended before.
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
