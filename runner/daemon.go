// Package runner is the daemon: it keeps the services of one configuration file
// running and reloads them.
//
//	signals ──▶ supervisor ◀──▶ rollout: what reloads, when, with which configuration
//	               │ ▲
//	               ▼ │                    (one of each per service)
//	            watcher ◀──▶ lifecycle: what happens to the service
//	               │ ▲
//	               ▼ │
//	      process.Table, sockets.Set, state.Store
//
// What happens goes into one stream of events, which the log renders. rollout
// and lifecycle are pure functions; supervisor and watcher are the goroutines around
// them and decide nothing.
package runner

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/oklog/run"
	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/runner/control/server"
	"hupwatch/runner/journal"
	"hupwatch/runner/rollout"
	"hupwatch/runner/state"
	"hupwatch/runner/view"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mistake"
	"hupwatch/services/notify"
	"hupwatch/services/output"
	"hupwatch/services/process"
	"hupwatch/services/process/poller"
	"hupwatch/services/release"
	"hupwatch/services/sockets"
)

// logPatience is how long the end of hupwatch waits for its log to be read,
// outputPatience the same for what services wrote, archivePatience for a disk.
const (
	archivePatience = 2 * time.Second
	logPatience     = 2 * time.Second
	outputPatience  = 2 * time.Second
)

// probesAtOnce is how many probes may wait for their answers at the same time: one
// that gets none waits for seconds.
const probesAtOnce = 256

// Options are what a daemon is started with.
type Options struct {
	// Config is the configuration hupwatch begins with; Load reads the file
	// again.
	Config *config.Config
	Load   func() (*config.Config, config.Problems)
	// Log gets hupwatch's own log. What services write with a prefix goes to Stdout and
	// to Log.
	Log, Stdout io.Writer
	// Version is what the log says at the start.
	Version string
	Signals Signals
	// HUPIgnored says that HUP was ignored when hupwatch began: it is to outlive
	// the terminal.
	HUPIgnored bool
	// OneService says that the configuration is of one service, without a file: USR2
	// then does the same as HUP.
	OneService bool
}

// Run is the daemon. It returns when everything it started has ended, after a TERM,
// QUIT or INT, or after an essential service is down for good. The code is the exit
// code for that. The error says why it did not start, or what went wrong with it.
func Run(o Options) (code int, err error) {
	dir, why, err := hold(o)
	if err != nil {
		return 0, err
	}
	defer dir.release()
	why = append(why, reserveThreads()...)

	events := &services.Stream{}
	trouble := func(service, text string) {
		events.Publish(lifecycle.Event{Kind: lifecycle.KindTrouble, Service: service, Reason: text})
	}
	mistakes := mistake.Report(func(err error) { trouble("", err.Error()) })
	eventLog := startLog(events, o.Log, o.Config.Daemon, mistakes)
	defer eventLog.wait(logPatience)
	kept, lost := holdState(o.Config.Daemon.StateDir)
	defer kept.release()
	if lost != "" {
		why = append(why, lost)
	}
	told := func(err error) { trouble("", err.Error()) }
	record := journal.Open(cmp.Or(kept.file("journal"), dir.file("journal")), told)
	feed := view.StartFeed(record, events, mistakes)
	defer feed.Wait(logPatience)
	defer events.Close()
	dir.trouble = func(text string) { trouble("", text) }
	hub, err := output.New(output.Options{Dir: dir.file("output"), Lost: dir.restore, Stdout: o.Stdout, Stderr: o.Log, Trouble: trouble, Mistakes: mistakes})
	if err != nil {
		return 0, err
	}
	defer hub.Close(outputPatience)
	ears := notify.New(dir.file("notify"))
	ears.Mistakes, ears.Lost = mistakes, dir.restore
	defer ears.Close()
	watch, stopWatch := watchPaths(trouble, mistakes)
	defer stopWatch()
	events.Publish(lifecycle.Event{Kind: lifecycle.KindBegun, PID: os.Getpid(), Version: o.Version, Config: o.Config.File, Services: len(o.Config.Services)})
	for _, text := range append(why, advice(o, os.Getpid())...) {
		events.Publish(lifecycle.Event{Kind: lifecycle.KindAdvice, Reason: text})
	}

	table := process.NewTable()
	table.Mistakes = mistakes
	gate := func(width int) *services.Gate {
		g := services.NewGate(width)
		g.Mistakes = mistakes
		return g
	}
	host := &services.Host{
		Table:     table,
		Resolver:  release.Resolver{Env: release.Inheritable(os.Environ()), Dir: logicalDir()},
		Stepping:  gate(runtime.GOMAXPROCS(0)),
		Resolving: gate(runtime.GOMAXPROCS(0)),
		Starting:  gate(runtime.GOMAXPROCS(0)),
		Probing:   gate(probesAtOnce),
		Ledger:    dir.ledger,
		Output:    hub,
		Notify:    ears,
		Watch:     watch,
		Events:    events,
		Mistakes:  mistakes,
		Mark:      dir.ledger.Mark(),
		Now:       monotonic,
	}
	begin := rollout.Boot{Config: o.Config, Wanted: dir.wanted}
	if path := kept.file(archiveFile); path != "" {
		var archive *state.Archive
		archive, begin.Known = state.OpenArchive(path, o.Config.File, told)
		defer archive.Close(archivePatience)
		host.Archive = archive
	}
	s := newSupervisor(host, o.Config, o.Load)
	s.rollout.LastID = record.LastID()
	a := view.New(o.Version, view.Source{Host: host, Load: o.Load, Front: &s.front, Request: s.request}, feed)
	var control *server.Server
	if path := dir.file(config.ControlSocket); path != "" {
		control = server.New(path, a, func(err error) { trouble("", err.Error()) })
		dir.store.Lost, dir.store.Forgotten = dir.restore, s.recordLost
		defer keep(dir, watch, control, mistakes)()
	}
	s.apply = func(d config.Daemon) {
		eventLog.apply(d)
		a.Admit(d.ControlGroup, control)
	}
	err = group(table, s, o, begin, control).Run()
	events.Publish(lifecycle.Event{Kind: lifecycle.KindEndedAll, Code: s.code})
	return s.code, err
}

// watchPaths returns a watch that sees if the path of a socket is removed. It is nil if
// the system has none: then a removal is only seen when a process ends.
func watchPaths(trouble func(service, text string), mistakes mistake.Report) (*sockets.Watch, func()) {
	p, err := poller.New(mistakes)
	if err != nil {
		trouble("", err.Error())
		return nil, func() {}
	}
	watch, err := sockets.NewWatch(p)
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			trouble("", "paths of sockets are not watched: "+err.Error())
		}
		return nil, p.Close
	}
	return watch, func() {
		watch.Close()
		p.Close()
	}
}

// group puts together what runs. Only the supervisor returns by itself, when
// everything has ended; the others go on until then, so that signals are heard
// and processes reaped to the last.
func group(table *process.Table, s *supervisor, o Options, begin rollout.Boot, control *server.Server) *run.Group {
	var g run.Group
	reaping, stopReaping := context.WithCancel(context.Background())
	g.Add(func() error { return table.Run(reaping) }, func(error) { stopReaping() })
	listening, stopListening := context.WithCancel(context.Background())
	tty := openTerminal(o.HUPIgnored)
	g.Add(func() error { return o.Signals.dispatch(listening, s, tty, o.OneService) }, func(error) { stopListening() })
	if control != nil {
		serving, stopServing := context.WithCancel(context.Background())
		g.Add(func() error {
			select { // nobody is let in before everything can be answered
			case <-s.booted:
			case <-serving.Done():
			}
			return control.Serve(serving)
		}, func(error) { stopServing() })
	}
	// Only a broken invariant of another actor can interrupt the supervisor.
	g.Add(func() error { return s.run(begin) }, func(error) { s.stop("TERM") })
	return &g
}

// monotonic reads the clock that lifecycle.Instant counts on.
func monotonic() lifecycle.Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(clockMonotonic, &ts); err != nil {
		panic(err) // there is no host without it
	}
	return lifecycle.Instant(ts.Nano())
}

// logicalDir is hupwatch's working directory as it was typed. $PWD, if it is that
// directory, keeps the symbolic links that a deploy switches.
func logicalDir() string {
	dir, err := os.Getwd() // prefers $PWD if it is true
	if err != nil {
		return "/"
	}
	return dir
}
