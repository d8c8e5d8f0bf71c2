package services_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
	"hupwatch/services/process"
	"hupwatch/services/release"
)

// deaf is a rollout that gives every turn and hears nothing else, and a ledger.
type deaf struct{ watcher *services.Watcher }

func (d *deaf) TurnAsked(_ string, ticket int)                       { d.watcher.Post(lifecycle.Turn{Ticket: ticket}) }
func (*deaf) TurnReturned(string, int)                               {}
func (*deaf) Answered(string, lifecycle.Answer)                      {}
func (*deaf) DownForGood(string, int)                                {}
func (*deaf) Ended(string)                                           {}
func (*deaf) DependencyReady(string, bool, bool)                     {}
func (*deaf) Intend(string, int) error                               { return nil }
func (*deaf) Settle(string, int)                                     {}
func (*deaf) Save(string, []services.Living, lifecycle.Wanted) error { return nil }

// After a pause of all of hupwatch (a SIGSTOP, a host without processor time) the
// end of the warm-up and that of the process came together, and the former could
// go first: what was dead was promoted, and the old generation stopped for it.
func TestAProcessThatEndedUnseenIsNotPromoted(t *testing.T) {
	c := web()
	c.Command = []string{"/bin/false"}
	c.Warmup = 500 * time.Millisecond
	c.Restart = config.RestartNo

	table := process.NewTable() // nobody reaps yet
	seen := watched(t, c, table)
	e := await(t, seen, lifecycle.KindStarted, lifecycle.KindPromoted)
	if err := unix.Waitid(unix.P_PID, e.PID, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	<-time.After(2 * c.Warmup)
	go table.Run(t.Context())
	await(t, seen, lifecycle.KindStartFailed, lifecycle.KindPromoted)
}

// A restart asked for a release every time, also where the file system had not
// answered the last time: the threads that waited there were the end of hupwatch.
func TestAFileSystemThatHangsKeepsOneThreadPerService(t *testing.T) {
	c := web()
	c.StartTimeout, c.RestartDelay, c.RestartMaxDelay = time.Millisecond, time.Millisecond, time.Millisecond
	hangs := filepath.Join(t.TempDir(), "env")
	if err := unix.Mkfifo(hangs, 0o600); err != nil {
		t.Fatal(err)
	}
	c.EnvFiles = []config.EnvFile{{Path: hangs}}
	before := threads(t)

	seen := watched(t, c, process.NewTable())
	for range 50 {
		await(t, seen, lifecycle.KindStartFailed, lifecycle.KindPromoted)
	}
	if after := threads(t); after > before+20 {
		t.Errorf("%d threads, and %d before 50 starts that hung", after, before)
	}
	answer, err := os.OpenFile(hangs, os.O_RDWR, 0) // which wakes those that wait
	if err != nil {
		t.Fatal(err)
	}
	answer.Close()
}

// brittle is a ledger that panics the first time.
type brittle struct {
	deaf
	broken bool
}

func (b *brittle) Save(string, []services.Living, lifecycle.Wanted) error {
	if !b.broken {
		b.broken = true
		panic("planted")
	}
	return nil
}

// Any panic ended hupwatch, and with it the watch over every service.
func TestAWatcherThatPanicsGoesOn(t *testing.T) {
	c := web()
	end := filepath.Join(t.TempDir(), "end")
	if err := unix.Mkfifo(end, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Command = []string{"/bin/sh", "-c", "cat \"$0\"; exit 1", end}
	c.Warmup = time.Hour
	c.Restart = config.RestartNo
	table := process.NewTable()
	go table.Run(t.Context())
	reported := make(chan error, 10)
	seen := watchedOn(t, c, &services.Host{Table: table, Ledger: &brittle{}, Mistakes: func(err error) { reported <- err }})
	await(t, seen, lifecycle.KindStarted, lifecycle.KindPromoted)
	if err := <-reported; !strings.Contains(err.Error(), "watch web") || !strings.Contains(err.Error(), "planted") {
		t.Errorf("reported %v", err)
	}
	if err := os.WriteFile(end, nil, 0); err != nil { // which cat waits for
		t.Fatal(err)
	}
	await(t, seen, lifecycle.KindStartFailed, lifecycle.KindPromoted)
}

func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// watched starts a service and returns what happens to it.
func watched(t *testing.T, c *config.Service, table *process.Table) *happening {
	t.Helper()
	return watchedOn(t, c, &services.Host{Table: table})
}

// happening is what happens to a service, in order.
type happening struct {
	box  *mailbox.Box[lifecycle.Event]
	rest []lifecycle.Event // taken, and not looked at yet
}

// watchedOn is watched with what is set in the host.
func watchedOn(t *testing.T, c *config.Service, host *services.Host) *happening {
	t.Helper()
	events := &services.Stream{}
	seen := &happening{box: events.Subscribe(1 << 14)}
	d := &deaf{}
	began := time.Now()
	host.Resolver, host.Events = release.Resolver{Dir: "/"}, events
	host.Stepping, host.Resolving, host.Starting = services.NewGate(1), services.NewGate(100), services.NewGate(1)
	host.Now = func() lifecycle.Instant { return lifecycle.Instant(time.Since(began)) }
	if host.Ledger == nil {
		host.Ledger = d
	}
	d.watcher = services.NewWatcher(c, lifecycle.Record{}, host, d)
	go d.watcher.Run()
	t.Cleanup(func() { d.watcher.Interrupt(nil) })
	d.watcher.Post(lifecycle.Start{})
	return seen
}

// await returns the next event of a kind; one of the kind never must not come.
func await(t *testing.T, seen *happening, kind, never lifecycle.Kind) lifecycle.Event {
	t.Helper()
	late := time.After(time.Minute)
	for {
		events, _, _ := seen.box.Take()
		seen.rest = append(seen.rest, events...)
		for len(seen.rest) > 0 {
			e := seen.rest[0]
			seen.rest = seen.rest[1:]
			switch e.Kind {
			case kind:
				return e
			case never:
				t.Fatalf("%s: generation %d", e.Kind, e.Generation)
			}
		}
		select {
		case <-seen.box.Wake:
		case <-late:
			t.Fatalf("no %q", kind)
		}
	}
}

// web is a service that runs.
func web() *config.Service {
	return &config.Service{
		Name: "web", Command: []string{"/bin/web"}, Umask: -1, Autostart: true, StartTimeout: time.Minute,
		StopSignal: unix.SIGTERM, StopTimeout: 30 * time.Second, KillMode: config.KillMixed,
		Restart: config.RestartAlways, RestartDelay: 500 * time.Millisecond, RestartMaxDelay: 30 * time.Second,
		SuccessExitCodes: []int{0}, MaxDraining: 2, Output: config.OutputInherit,
	}
}
