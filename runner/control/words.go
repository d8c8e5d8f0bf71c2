package control

// The words of the interface, each with the meaning that it has in hupwatch's own log.

// The kinds of events: first of one service, then of all of them.
const (
	KindReloadWaits   = "reload waits" // every drain slot is taken
	KindReloadBegun   = "reload begun"
	KindReloadEnded   = "reload ended"       // result and error say how
	KindStarted       = "generation started" // its command runs; wait_seconds is its warm-up
	KindStartFailed   = "start failed"       // outside a reload
	KindReady         = "generation ready"   // wait_seconds is its warm-up
	KindPublished     = "generation published"
	KindHookBegun     = "hook begun"
	KindHookFailed    = "hook failed"
	KindPutBack       = "socket put back"    // at path
	KindAwaits        = "waiting for others" // services are those
	KindPromoted      = "generation promoted"
	KindStopSignalled = "stop signal sent"
	KindMainGone      = "main process gone" // others of its group live on
	KindKilled        = "generation killed"
	KindExited        = "generation exited"                  // after it was told to stop
	KindEnded         = "generation ended"                   // by itself
	KindDone          = "generation done"                    // by itself, with success, and restart says that this is all
	KindSettled       = "probation over"                     // nothing of a reload can be taken back any more
	KindInstead       = "started from the last good release" // error says why not from release
	KindRolledBack    = "rolled back"                        // to the release before; exit says why
	KindRestart       = "restart"                            // wait_seconds says in how long
	KindGivenUp       = "given up"                           // no restart any more
	KindAbandoned     = "abandoned"                          // it lives on even after KILL
	KindLeft          = "generation left"                    // it lives on without hupwatch
	KindAdvice        = "advice"                             // something to know
	KindForwarded     = "signal sent"                        // that somebody asked for
	KindStopped       = "service stopped"
	KindTrouble       = "trouble" // error says what hupwatch could not do

	KindBegun       = "hupwatch started" // version says which
	KindRequest     = "reload asked"     // or what else verb says; services are those it is for, none for all
	KindAnswered    = "answered"         // for one service, if nothing else said so
	KindRequestDone = "reload done"      // the last service has answered; services are those that did not get it
	KindRefused     = "reload refused"   // nothing was changed; error says why
	KindConfigError = "config error"
	KindIgnored     = "signal ignored"
	KindReopened    = "output files reopened"
	KindEnding      = "stopping all services"
	KindLeaving     = "leaving all services" // they live on
	KindEndedAll    = "hupwatch ended"
)

// The results of a request, for one service.
const (
	ResultPromoted   = "promoted"  // the new generation serves, the old one drains
	ResultStarted    = "started"   // nothing served before; now the new generation does
	ResultStopped    = "stopped"   // it was to stop and did
	ResultSignalled  = "signalled" // it was sent the signal
	ResultSkipped    = "skipped"   // it is wanted down, or there is nothing new
	ResultKeptOld    = "kept_old"  // the new generation was no good; the old one serves on
	ResultPartial    = "partial"   // some instances have the new release, some were kept
	ResultFailed     = "failed"    // the new generation was no good and nothing serves
	ResultRolledBack = "rolled_back"
	ResultAborted    = "aborted" // hupwatch ends, the service was removed, or somebody stopped it
)

// The states of a service.
const (
	StateStopped  = "stopped"  // wanted down, nothing lives
	StateWaiting  = "waiting"  // for the services it depends on
	StateStarting = "starting" // nothing serves yet
	StateRunning  = "running"  // it serves, whatever else is incoming
	StateBackoff  = "backoff"  // the next start is due later
	StateStopping = "stopping" // wanted down, something still lives
	StateDone     = "done"     // it ended with success, and restart says not to start it again
	StateFailed   = "failed"   // it is not started any more by itself
)

// Does reports whether a service in this state does what it is there for, or has done it.
func Does(state string) bool { return state == StateRunning || state == StateDone }

// What a service is wanted to be.
const (
	WantedUp   = "up"
	WantedDown = "down"
)

// The phases of a generation.
const (
	PhaseResolving   = "resolving"   // its release is being made; there is no process yet
	PhasePreparing   = "preparing"   // before_start runs
	PhaseWaiting     = "waiting"     // for the old one to be gone, as stop-first has it
	PhaseStarting    = "starting"    // its process is on the way to its first instruction
	PhaseProving     = "proving"     // it runs and has to be ready
	PhaseWarming     = "warming"     // it is ready and has to stay alive for the warm-up
	PhasePublishing  = "publishing"  // the public path is about to lead to it
	PhaseOverlapping = "overlapping" // it serves, and so does the old one
	PhaseHandover    = "handover"    // likewise, and before_stop of the old one runs
	PhaseActive      = "active"      // it serves
	PhaseDraining    = "draining"    // it was told to stop
)

// What a generation is to its service.
const (
	RoleIncoming = "incoming" // it is to take the place of another one, or is the first
	RoleActive   = "active"   // it serves, or has ended by itself
	RoleOld      = "old"      // it was told to stop
)

// The commands of a service that run around its generations.
const (
	HookBeforeStart = "before_start" // before each new release; if it fails, the release is not started
	HookBeforeStop  = "before_stop"  // before the stop signal
	HookAfterReload = "after_reload" // after each reload, whatever its result
)

// UnseenText is the sentence for people about Service.Unseen: what follows from that,
// and what to do about it.
func UnseenText(why string) string {
	return "what a new generation does cannot be seen, only its warm-up tells a good release from a bad one: " + why +
		"; say in ready how it can be seen, by notify, fd or exec"
}
