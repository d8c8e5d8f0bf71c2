package lifecycle

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"hupwatch/config"
	"hupwatch/services/release"
)

// Phase is how far a generation has come.
type Phase string

// The phases, in the order a generation goes through them.
const (
	PhaseResolving   Phase = "resolving"   // its release is being made; there is no process yet
	PhasePreparing   Phase = "preparing"   // before_start runs
	PhaseWaiting     Phase = "waiting"     // for the old one to be gone, as stop-first has it
	PhaseStarting    Phase = "starting"    // its process is on the way to its first instruction
	PhaseProving     Phase = "proving"     // it runs and has to be ready
	PhaseWarming     Phase = "warming"     // it is ready and has to stay alive for the warm-up
	PhasePublishing  Phase = "publishing"  // the public path is about to lead to it
	PhaseOverlapping Phase = "overlapping" // it serves, and so does the old one
	PhaseHandover    Phase = "handover"    // likewise, and before_stop of the old one runs
	PhaseActive      Phase = "active"      // it serves
	PhaseDraining    Phase = "draining"    // it was told to stop
)

// Cause is why a generation was started.
type Cause string

// The causes.
const (
	CauseStart   Cause = "start"   // the service was to come up
	CauseReload  Cause = "reload"  // somebody asked for a new release
	CauseRestart Cause = "restart" // the one before it ended by itself
)

// Role is what a generation is to its service.
type Role string

// The roles.
const (
	RoleIncoming Role = "incoming" // it is to take the place of another one, or is the first
	RoleActive   Role = "active"   // it serves, or has ended by itself
	RoleOld      Role = "old"      // it was told to stop
)

// Generation is one start of a service, from the decision to start it until its last
// process has gone.
type Generation struct {
	// Number counts the generations of the service from 1. It is 0 while
	// resolving.
	Number  int
	Attempt int
	Phase   Phase
	Role    Role
	Cause   Cause
	// PID is 0 until the process is there.
	PID     int
	Release *release.Release

	Proof Proof
	// MainPID is the process that gets its signals instead of the one that was started,
	// or 0: MAINPID of sd_notify(3).
	MainPID int
	// Hook is the command that runs before its start or its stop; nil if none does.
	Hook *Hook
	// MayStop is set once before_stop has ended, if there is one.
	MayStop bool
	// Published is set once the public path led to it.
	Published bool
	// Tail are the last lines of the command that its start failed at.
	Tail []string

	BegunAt    Instant // when its start was decided
	StartedAt  Instant // when its command began
	Deadline   Instant // when starting takes too long, or the warm-up ends
	ReadyAt    Instant
	ActiveAt   Instant
	StoppedAt  Instant // when its end was decided
	KillAt     Instant // when its group gets KILL
	KilledAt   Instant
	Signalled  syscall.Signal // the stop signal it was sent
	Passed     syscall.Signal // the last signal that somebody asked for
	Killed     bool
	Abandoned  bool // it is waited for no more after its KILL
	Aborted    bool // it never became the active one
	MainGone   bool // its main process ended; others of its group live on
	LastStatus Exit
	// Reloads are the requests that it was started for, or told to stop for.
	Reloads []uint64
}

// service is the configuration that the generation was started with.
func (g *Generation) service() *config.Service { return g.Release.Service }

// exit is how its main process ended; nil while that lives.
func (g *Generation) exit() *Exit {
	if !g.MainGone {
		return nil
	}
	e := g.LastStatus
	return &e
}

// Exit is how a process ended.
type Exit struct {
	Code   int
	Signal syscall.Signal
	// Reason says why the program never ran, if that is what happened.
	Reason string
	// Rest is set if others of its group live on.
	Rest bool
}

// String is for people.
func (e Exit) String() string {
	switch {
	case e.Reason != "":
		return e.Reason
	case e.Signal != 0:
		return "killed by signal " + config.SignalName(e.Signal)
	}
	return fmt.Sprintf("exited with status %d", e.Code)
}

// ShellCode is the exit code as a shell gives it.
func (e Exit) ShellCode() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// Success reports whether a command did well.
func (e Exit) Success() bool { return e.Code == 0 && e.Signal == 0 && e.Reason == "" }

// clean reports whether a process that was sent the signal (0 for none) ended as it
// should: with a success code, or of that very signal, as puma does after its drain.
func (e Exit) clean(s *config.Service, sent syscall.Signal) bool {
	if e.Reason != "" {
		return false
	}
	if e.Signal != 0 {
		return e.Signal == sent
	}
	return slices.Contains(s.SuccessExitCodes, e.Code)
}

// early says why the end of a generation failed its start.
func (g *Generation) early(now Instant) string {
	e := g.LastStatus
	if e.Reason != "" {
		return e.Reason
	}
	var text string
	switch {
	case g.notListening():
		return fmt.Sprintf("%s, %s after it started; %s; %s", e, round(now.Sub(g.StartedAt)), g.lacks(), ListenRemedy)
	case g.Phase == PhaseProving && g.lacked() != "":
		text = fmt.Sprintf("%s, %s after it started, before it was ready (%s)", e, round(now.Sub(g.StartedAt)), g.lacked())
	case g.Phase == PhaseProving, g.Phase == PhaseWarming:
		text = fmt.Sprintf("%s, %s after it started, before its warm-up of %s was over", e, round(now.Sub(g.StartedAt)), g.service().Warmup)
	case g.Published || g.Phase == PhaseHandover:
		text = fmt.Sprintf("%s, %s after it was ready, while the one before it still served", e, round(now.Sub(g.ReadyAt)))
	default:
		return e.String() + " before its command began"
	}
	if e.Signal == 0 && e.Code == 0 {
		text += "; if it puts itself into the background, tell it to stay in the foreground"
	}
	return text
}

// notListening reports whether it was seen not to listen where the active one does.
func (g *Generation) notListening() bool {
	return g.Phase == PhaseProving && g.Proof.Way == WayListening && len(g.Proof.Missing) > 0
}

// inUse is what to do if it said that an address is in use. It may have ended before
// anybody could look at what it listens on, and of UDP nobody looks.
func (g *Generation) inUse(sl *Slot) string {
	switch {
	case len(g.service().Listen) > 0:
		return "it says that an address is in use: if that is one of listen, let it take the socket from hupwatch, and not open it itself"
	case sl.Active != nil || len(sl.Draining) > 0:
		return "it says that its address is in use, and the old one may have it: " + ListenRemedy
	}
	return "it says that its address is in use: ss -ltnp says by which process, ss -lunp for UDP"
}

func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}
