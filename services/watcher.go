package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
	"hupwatch/services/mistake"
	"hupwatch/services/notify"
	"hupwatch/services/output"
	"hupwatch/services/process"
	"hupwatch/services/release"
	"hupwatch/services/sockets"
)

// Coordinator is what a Watcher reports to. Its methods must not block.
type Coordinator interface {
	TurnAsked(service string, ticket int)
	TurnReturned(service string, ticket int)
	Answered(service string, a lifecycle.Answer)
	DownForGood(service string, code int)
	Ended(service string)
	DependencyReady(service string, ready, failed bool)
}

// Host is what watchers carry effects out with. All of them share one.
type Host struct {
	Table    *process.Table
	Resolver release.Resolver
	// Stepping, Resolving and Starting are the gates for these. With one gate for all,
	// a thousand starts would wait until a thousand releases are made.
	Stepping, Resolving, Starting *Gate
	// Probing is the gate for probes. It is wide: a probe waits for other processes.
	Probing *Gate
	Ledger  Ledger
	Archive Archive // nil for none
	Output  *output.Hub
	Notify  *notify.Server
	Watch   *sockets.Watch // nil if the system cannot watch paths
	Events  *Stream
	// Mistakes is told what panics in a watcher. The watcher goes on.
	Mistakes mistake.Report
	// Mark tells this hupwatch's generations from all other processes, in
	// HUPWATCH_MARK.
	Mark string
	Now  func() lifecycle.Instant
}

// pauseAfterMistake keeps a deadline that panics when it is handled from being handled
// again and again.
const pauseAfterMistake = time.Second

// Watcher runs one service: it feeds what happens into a Machine and carries out the
// effects. It decides nothing.
type Watcher struct {
	mu      sync.Mutex // held while turn changes these; nothing else does
	machine *lifecycle.Machine
	last    []string // written by the generation that last ended or failed to start

	host        *Host
	coordinator Coordinator
	inbox       *mailbox.Box[lifecycle.Input]

	turned chan struct{} // the end of a turn

	// Owned by turn.
	resolving []*resolving
	processes []started
	hooks     map[int]*hookRun
	intended  []int // generations that have no process yet
	sockets   sockets.Set
	public    []string // the paths that generations are to be published as
	published []string // of those, the ones that lead to a generation
	guard     sockets.Guard
	holdback  sockets.Holdback
	guarding  lifecycle.Guard
	repairing atomic.Bool     // a pathsChanged is on its way
	abandoned []string        // paths that only a generation that drains has open
	mentioned map[string]bool // what was told of the guarding
	timer     *time.Timer     // nil while nothing is waited for
	saved     []Living
	wanted    lifecycle.Wanted // likewise saved
	unsaved   string           // why the last record could not be written
	undone    []string         // the last lines of what was rolled back last
	bad       excerpt          // of the release that failed last; guarded by mu
}

// excerpt is the lines of a release that name the cause of its failure.
type excerpt struct {
	release string
	lines   []string
}

// started is the process of a generation, and what it writes.
type started struct {
	generation   int
	process      *process.Process
	output       *output.Capture
	notification notification
	unprobe      context.CancelFunc // of the last probe; nil for none
}

// NewWatcher returns the watcher of a service that has nothing running.
func NewWatcher(c *config.Service, known lifecycle.Record, h *Host, r Coordinator) *Watcher {
	return &Watcher{
		machine:     lifecycle.NewMachine(c, known),
		host:        h,
		coordinator: r,
		inbox:       mailbox.New[lifecycle.Input](0),
		turned:      make(chan struct{}),
	}
}

// Look calls at with the machine. At must not keep it.
func (w *Watcher) Look(at func(*lifecycle.Machine)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at(w.machine)
}

// Name returns the name of the service.
func (w *Watcher) Name() string { return w.machine.Name }

// LastTail returns the last lines of the generation that last ended by itself, or could
// not be started.
func (w *Watcher) LastTail() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// TailOf returns the lines that name the cause of the failure of a release; nil if
// another one has failed since.
func (w *Watcher) TailOf(release string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bad.release != release {
		return nil
	}
	return w.bad.lines
}

// Serves reports whether an instance of the service serves.
func (w *Watcher) Serves() (yes bool) {
	w.Look(func(m *lifecycle.Machine) { yes = m.Serving() != nil })
	return yes
}

// Down reports whether the service is wanted down.
func (w *Watcher) Down() (yes bool) {
	w.Look(func(m *lifecycle.Machine) { yes = m.Down() })
	return yes
}

// Post tells the watcher something. It does not block.
func (w *Watcher) Post(in lifecycle.Input) { w.inbox.Put(in) }

// Interrupt ends Run.
func (w *Watcher) Interrupt(error) { w.inbox.Close() }

// Run is the goroutine of the watcher; Interrupt ends it. It only waits: the work is
// done behind a gate. If it were done here, each of a thousand goroutines would keep a
// stack several times as large.
func (w *Watcher) Run() error {
	for range w.inbox.Wake {
		inputs, _, closed := w.inbox.Take()
		if closed {
			break
		}
		w.host.Stepping.Pass(func() {
			defer func() { w.turned <- struct{}{} }()
			w.turn(inputs)
		})
		<-w.turned
	}
	if w.timer != nil {
		w.timer.Stop()
	}
	return nil
}

// turn takes the inputs that came in, and does what is due.
func (w *Watcher) turn(inputs []lifecycle.Input) {
	well, awaited := true, false
	for _, in := range inputs {
		well = w.safely(func() { w.step(in) }) && well
	}
	if w.machine.Deadline() <= w.host.Now() {
		well = w.safely(func() { awaited = !w.tick() }) && well
	}
	well = w.safely(w.save) && well
	switch {
	case !well:
		w.armAfter(pauseAfterMistake)
	case !awaited:
		w.arm()
	}
}

// safely calls do, and reports whether it ended without a panic. After a panic the rest
// of the turn, and all other services, go on.
func (w *Watcher) safely(do func()) bool {
	return w.host.Mistakes.Do("watch "+w.machine.Name, do)
}

// tick does what is due, unless the generation that would be promoted has ended: its
// exit goes first.
func (w *Watcher) tick() bool {
	for _, s := range slices.Clone(w.processes) {
		w.catchUpWith(s.generation)
	}
	if w.ended(w.machine.Warming(w.host.Now())) {
		return false
	}
	w.step(lifecycle.Tick{})
	return true
}

// arm lets the timer wake the watcher when something is due.
func (w *Watcher) arm() {
	next := w.machine.Deadline()
	if next != lifecycle.Never {
		w.armAfter(max(0, next.Sub(w.host.Now())))
		return
	}
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

func (w *Watcher) armAfter(d time.Duration) {
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.inbox.Rouse)
		return
	}
	w.timer.Reset(d)
}

// ended reports whether the main process of a generation has ended. The machine may
// not know yet: after a pause of all of hupwatch, and on a busy host, the process and
// its warm-up may end together.
func (w *Watcher) ended(generation int) bool {
	p := w.process(generation)
	return p != nil && p.Ended()
}

// process returns the process of a generation; nil if it has none.
func (w *Watcher) process(generation int) *process.Process {
	if s := w.started(generation); s != nil {
		return s.process
	}
	return nil
}

func (w *Watcher) started(generation int) *started {
	for i := range w.processes {
		if w.processes[i].generation == generation {
			return &w.processes[i]
		}
	}
	return nil
}

func (w *Watcher) forget(generation int) {
	if s := w.started(generation); s != nil {
		s.notification.close()
	}
	w.processes = slices.DeleteFunc(w.processes, func(s started) bool { return s.generation == generation })
}

// arrival is a Spawned with what was started.
type arrival struct {
	lifecycle.Spawned
	started
}

func (w *Watcher) step(in lifecycle.Input) {
	switch x := in.(type) {
	case arrival:
		w.processes = append(w.processes, x.started)
		in = x.Spawned
	case resolution:
		in = x.Input
		defer w.answered(x.of)
	case notified:
		in = w.take(x)
	case pathsChanged:
		w.repairing.Store(false)
		w.repair()
		return
	case recordLost:
		w.saveAgain()
		return
	case lifecycle.Exited:
		w.catchUpWith(x.Generation)
		w.unprobe(x.Generation)
		w.repair()
		if s := w.started(x.Generation); s != nil && x.Exit.Code != 0 && x.Exit.Signal == 0 && !s.output.Settled() {
			x.InUse = saysInUse(s.output.Tail())
			in = x
		}
	case lifecycle.HookDone:
		delete(w.hooks, x.Token)
	case lifecycle.Emptied:
		w.repair()
		defer w.forget(x.Generation)
	}
	w.mu.Lock()
	effects := w.machine.Step(w.host.Now(), in)
	w.mu.Unlock()
	for _, e := range effects {
		w.carryOut(e)
	}
}

// catchUpWith tells the machine what a generation has said by now.
func (w *Watcher) catchUpWith(generation int) {
	if s := w.started(generation); s != nil {
		if said, speaks := w.catchUp(s); speaks {
			w.step(said)
		}
	}
}

func (w *Watcher) carryOut(e lifecycle.Effect) {
	switch e := e.(type) {
	case lifecycle.Resolve:
		w.makeRelease(e)
	case lifecycle.Launch:
		// An intent is on disk before its process, so that none is run twice. If
		// something serves, the start can wait for room on the disk.
		if err := w.intend(e.Generation); err != nil && e.MayWait {
			w.Post(lifecycle.SpawnFailed{Generation: e.Generation, Reason: err.Error()})
			return
		}
		w.launch(e)
	case lifecycle.Prove:
		w.probe(e)
	case lifecycle.Observe:
		w.observe(e)
	case lifecycle.RunHook:
		w.runHook(e)
	case lifecycle.KillHook:
		w.killHook(e.Token)
	case lifecycle.Publish:
		w.publishSocket(e)
	case lifecycle.Retract:
		w.retractSocket(e)
	case lifecycle.Guard:
		w.guardPaths(e)
	case lifecycle.Show:
		w.show()
	case lifecycle.Restore:
		w.restore()
	case lifecycle.Signal:
		w.unprobe(e.Generation)
		w.signal(e)
	case lifecycle.Pass:
		w.send(lifecycle.Signal{Generation: e.Generation, Signal: e.Signal, MainPID: e.MainPID})
	case lifecycle.AskTurn:
		w.coordinator.TurnAsked(w.machine.Name, e.Ticket)
	case lifecycle.ReturnTurn:
		w.coordinator.TurnReturned(w.machine.Name, e.Ticket)
	case lifecycle.Answer:
		w.coordinator.Answered(w.machine.Name, e)
	case lifecycle.KeepSockets:
		if e.Alone {
			w.sockets.ShutDown(e.Listen)
		}
		if err := w.sockets.Keep(e.Listen); err != nil {
			w.trouble(err)
		}
		w.unpublish(e.Publish)
		w.guardAgain()
	case lifecycle.Remember:
		if w.host.Archive != nil {
			w.host.Archive.Keep(w.machine.Name, e.Record)
		}
	case lifecycle.Amend:
		w.host.Output.Apply(e.Config)
	case lifecycle.Emit:
		w.publish(e)
	case lifecycle.DownForGood:
		w.coordinator.DownForGood(w.machine.Name, e.Code)
	case lifecycle.Ended:
		w.coordinator.Ended(w.machine.Name)
	case lifecycle.TellDependents:
		w.coordinator.DependencyReady(w.machine.Name, e.Ready, e.Failed)
	}
}

// publish tells what happened, with the last lines of what went wrong.
func (w *Watcher) publish(told lifecycle.Emit) {
	e := told.Event
	if told.Forget {
		w.host.Output.Forget(w.machine.Name)
	}
	switch e.Kind {
	case lifecycle.KindReloadEnded, lifecycle.KindStartFailed, lifecycle.KindEnded, lifecycle.KindDone, lifecycle.KindRolledBack:
		if s := w.started(e.Generation); s != nil && told.WithTail {
			e.Tail = s.output.Tail()
		}
		w.mu.Lock()
		if e.Kind == lifecycle.KindEnded || e.Kind == lifecycle.KindDone || e.Kind == lifecycle.KindStartFailed {
			w.last = e.Tail
		}
		if e.Kind != lifecycle.KindEnded && e.Result != lifecycle.ResultRolledBack && len(e.Tail) > 0 {
			w.bad = excerpt{e.Release, e.Tail}
		}
		w.mu.Unlock()
		switch {
		case e.Kind == lifecycle.KindRolledBack:
			w.undone = e.Tail
		case e.Result == lifecycle.ResultRolledBack: // the generation it ends with is the one that is good
			e.Tail, w.undone = w.undone, nil
		}
	case lifecycle.KindPromoted:
		if s := w.started(e.Generation); s != nil {
			s.output.Settle()
		}
	default:
	}
	w.host.Events.Publish(e)
}

// signal sends a signal. A process that is gone is no error: its exit is on the way.
func (w *Watcher) signal(e lifecycle.Signal) {
	w.send(e)
	if e.Signal != syscall.SIGKILL { // one that was stopped could not end
		w.send(lifecycle.Signal{Generation: e.Generation, Signal: syscall.SIGCONT, Group: e.Group})
	}
}

func (w *Watcher) send(e lifecycle.Signal) {
	p := w.process(e.Generation)
	if p == nil {
		return
	}
	send := p.Signal
	switch {
	case e.Group:
		send = p.SignalGroup
	case e.MainPID != 0:
		send = func(sig syscall.Signal) error { return p.SignalMember(e.MainPID, sig) }
	}
	err := send(e.Signal)
	if e.MainPID != 0 && errors.Is(err, process.ErrGone) { // then the main process gets it
		err = p.Signal(e.Signal)
	}
	if err != nil && !errors.Is(err, process.ErrGone) {
		w.trouble(fmt.Errorf("signal generation %d: %w", e.Generation, err))
	}
}

func (w *Watcher) trouble(err error) {
	w.host.Events.Publish(lifecycle.Event{Kind: lifecycle.KindTrouble, Service: w.machine.Name, Reason: err.Error()})
}

// processWatch posts what happens to the process of one generation.
type processWatch struct {
	watcher *Watcher
	started // but for its process
}

func (g processWatch) Spawned(p *process.Process) {
	g.process = p
	g.watcher.Post(arrival{lifecycle.Spawned{Generation: g.generation, PID: p.PID()}, g.started})
}

func (g processWatch) Execed() { g.watcher.Post(lifecycle.Execed{Generation: g.generation}) }

func (g processWatch) Exited(e process.Exit) {
	g.watcher.Post(lifecycle.Exited{Generation: g.generation, Exit: exitOf(e)})
}

func exitOf(e process.Exit) lifecycle.Exit {
	exit := lifecycle.Exit{Code: e.Code, Signal: e.Signal, Rest: e.Rest}
	if e.Err != nil {
		exit.Reason = e.Err.Error()
	}
	return exit
}

func (g processWatch) Emptied() { g.watcher.Post(lifecycle.Emptied{Generation: g.generation}) }
