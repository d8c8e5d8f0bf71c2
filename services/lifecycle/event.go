package lifecycle

import (
	"syscall"
	"time"

	"hupwatch/config"
)

// Event is one thing that happened to a service, or to hupwatch. Log, journal, API and
// progress render these.
type Event struct {
	// Seq numbers the events of one hupwatch from 1, At is when it happened;
	// both are set by the stream, not by the Machine.
	Seq uint64
	At  time.Time

	Kind       Kind
	Service    string
	Instance   int
	Generation int
	PID        int
	Role       Role     // of the generation, at that moment
	Reloads    []uint64 // the ids of the requests it belongs to
	Cause      Cause    // why the generation was started
	Result     Result
	// Reason is a sentence for people: no program takes it apart.
	Reason   string
	Verb     string         // what was asked for
	By       string         // who asked
	Names    []string       // services: see the Kind
	Hook     config.Hook    // which one
	Path     string         // of a socket
	Counts   map[Result]int // how the services of a whole request ended
	Config   string         // the file hupwatch was started with
	Services int            // how many services are in it
	Version  string         // of hupwatch
	Code     int            // hupwatch's own exit code
	Release  string         // the directory the generation runs in
	// Serving is the generation that serves after a reload, and where it runs.
	Serving        int
	ServingRelease string

	// Tail are the last lines that a generation which failed or ended wrote,
	// if hupwatch sees its output.
	Tail []string

	Signal  syscall.Signal
	Exit    *Exit
	Elapsed time.Duration // how long it took: to be promoted, to drain
	Wait    time.Duration // how long it will take at most: warm-up, delay, time to the KILL
}

// isOfFailure reports whether a generation was no good, or ended by itself, so that the
// last lines it wrote may say why.
func (e *Event) isOfFailure() bool {
	switch e.Kind {
	case KindReloadEnded, KindStartFailed, KindEnded, KindRolledBack:
		return e.Result != ResultPromoted && e.Result != ResultStarted && e.Result != ResultSkipped
	default:
		return false
	}
}

// Kind says what happened.
type Kind string

// The kinds: first of one service, then of all of them.
const (
	KindReloadWaits   Kind = "reload waits"       // every drain slot is taken
	KindReloadBegun   Kind = "reload begun"       //
	KindReloadEnded   Kind = "reload ended"       // Result and Reason say how
	KindStarted       Kind = "generation started" // its command runs; Wait is the warm-up
	KindStartFailed   Kind = "start failed"       // outside a reload
	KindReady         Kind = "generation ready"   // Wait is the warm-up
	KindPublished     Kind = "generation published"
	KindHookBegun     Kind = "hook begun"
	KindHookFailed    Kind = "hook failed"
	KindPutBack       Kind = "socket put back"                    // at Path
	KindAwaits        Kind = "waiting for others"                 // Names are those
	KindPromoted      Kind = "generation promoted"                //
	KindStopSignalled Kind = "stop signal sent"                   //
	KindMainGone      Kind = "main process gone"                  // others of its group live on
	KindKilled        Kind = "generation killed"                  //
	KindExited        Kind = "generation exited"                  // after it was told to stop
	KindEnded         Kind = "generation ended"                   // by itself
	KindDone          Kind = "generation done"                    // by itself, with success, and restart says that this is all
	KindSettled       Kind = "probation over"                     // nothing of a reload can be taken back any more
	KindInstead       Kind = "started from the last good release" // Reason says why not from Release
	KindRolledBack    Kind = "rolled back"                        // to the release before; Exit says why
	KindRestart       Kind = "restart"                            // Wait says in how long
	KindGivenUp       Kind = "given up"                           // no restart any more
	KindAbandoned     Kind = "abandoned"                          // it lives on even after KILL
	KindLeft          Kind = "generation left"                    // it lives on without hupwatch
	KindAdvice        Kind = "advice"                             // something to know
	KindForwarded     Kind = "signal sent"                        // that somebody asked for
	KindStopped       Kind = "service stopped"                    //
	KindTrouble       Kind = "trouble"                            // Reason says what hupwatch could not do

	KindBegun       Kind = "hupwatch started" // Config and Services say with what
	KindRequest     Kind = "reload asked"     // or what else Verb says; Names are the services, none for all
	KindAnswered    Kind = "answered"         // for one service, if nothing else said so
	KindRequestDone Kind = "reload done"      // the last service has answered; Names are those that did not get it
	KindRefused     Kind = "reload refused"   // nothing was changed; Reason says why
	KindConfigError Kind = "config error"
	KindIgnored     Kind = "signal ignored"
	KindReopened    Kind = "output files reopened"
	KindEnding      Kind = "stopping all services"
	KindLeaving     Kind = "leaving all services" // they live on
	KindEndedAll    Kind = "hupwatch ended"       // Code is its exit code
)
