// Package runner is the daemon: it keeps the services of one configuration file
// running and reloads them.
//
//	signals ──▶ fleet ◀──▶ rollout: who reloads, when, with which configuration
//	              │ ▲
//	              ▼ │                    (one of each per service)
//	           watcher ◀──▶ machine: what happens to the service
//	              │ ▲
//	              ▼ │
//	     process.Table, sockets.Set, state.Store
//
// What happens goes into one stream of events, which the log renders. rollout
// and machine are pure functions; fleet and watcher are the goroutines around
// them and decide nothing.
package runner

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/run"
	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/runner/state"
	"hupwatch/services"
	"hupwatch/services/process"
)

// logPatience is how long the end of hupwatch waits for its log to be read.
const logPatience = 2 * time.Second

// Options are what a daemon is started with.
type Options struct {
	// Config is the configuration hupwatch begins with; Load reads the file
	// again.
	Config *config.Config
	Load   func() (*config.Config, config.Problems)
	// Log gets hupwatch's own log.
	Log io.Writer
	// Version is what the log says at the start.
	Version string
}

// Run is the daemon: it returns when everything it started has ended, after a
// TERM, QUIT or INT, or since an essential service is down for good, with the
// exit code for that. An error says why it did not start, or what went wrong
// with it.
func Run(o Options) (code int, err error) {
	signals := catchSignals()
	defer signals.release()
	dir, err := holdRuntimeDir(o.Config.Daemon.RuntimeDir)
	if err != nil {
		return 0, err
	}
	defer dir.release()
	ledger, err := openLedger(dir)
	if err != nil {
		return 0, err
	}
	if err := dir.writePID(); err != nil {
		return 0, err
	}

	events := &services.Stream{}
	eventLog := startLog(events, o.Log, o.Config.Daemon)
	defer eventLog.wait(logPatience)
	defer events.Close()
	events.Publish(services.Event{Kind: services.KindBegun, PID: os.Getpid(), Reason: o.Version, Config: o.Config.File, Services: len(o.Config.Services)})

	table := process.NewTable()
	host := &services.Host{
		Table:    table,
		Resolver: services.Resolver{Env: os.Environ(), Dir: logicalDir()},
		Gate:     services.NewGate(4 * runtime.GOMAXPROCS(0)),
		Ledger:   ledger,
		Events:   events,
		Mark:     ledger.Mark(),
		Now:      monotonic,
	}
	f := newFleet(host, o.Load, eventLog.apply)
	err = group(table, signals, f, o.Config).Run()
	events.Publish(services.Event{Kind: services.KindEndedAll, Code: f.code})
	return f.code, err
}

// group puts together what runs. Only the fleet returns by itself, when
// everything has ended; the others go on until then, so that signals are heard
// and processes reaped to the last.
func group(table *process.Table, s *signals, f *fleet, c *config.Config) *run.Group {
	var g run.Group
	reaping, stopReaping := context.WithCancel(context.Background())
	g.Add(func() error { return table.Run(reaping) }, func(error) { stopReaping() })
	listening, stopListening := context.WithCancel(context.Background())
	g.Add(func() error { return s.dispatch(listening, f) }, func(error) { stopListening() })
	// Only a broken invariant of another actor can interrupt the fleet.
	g.Add(func() error { return f.run(c) }, func(error) { f.stop("TERM") })
	return &g
}

// openLedger opens the state directory and refuses to go on where generations of
// an earlier hupwatch still run: nothing is ever run twice.
func openLedger(dir *runtimeDir) (*state.Store, error) {
	ledger, err := state.Open(filepath.Join(dir.path, "state"))
	if err != nil {
		return nil, err
	}
	survivors, err := ledger.Survivors()
	if err != nil {
		return nil, err
	}
	if len(survivors) == 0 {
		return ledger, nil
	}
	names, pids := make([]string, len(survivors)), make([]string, len(survivors))
	for i, s := range survivors {
		names[i] = fmt.Sprintf("%s generation %d (pid %d)", s.Service, s.Generation, s.PID)
		pids[i] = strconv.Itoa(s.PID)
	}
	return nil, fmt.Errorf("runtime_dir %s: an earlier hupwatch ended without stopping what it had started; still running: %s; end these, then start hupwatch again: kill %s",
		dir.path, strings.Join(names, ", "), strings.Join(pids, " "))
}

// monotonic reads the clock that services.Instant counts on.
func monotonic() services.Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // there is no host without it
	}
	return services.Instant(ts.Nano())
}

// logicalDir is hupwatch's working directory as it was typed: $PWD, if it is
// that directory, keeps the symbolic links a deploy switches.
func logicalDir() string {
	dir, err := os.Getwd() // prefers $PWD where it is true
	if err != nil {
		return "/"
	}
	return dir
}
