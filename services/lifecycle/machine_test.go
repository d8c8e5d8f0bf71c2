package lifecycle_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// bench is a machine on a bench: it is told things by hand, and what it wants is
// written down.
type bench struct {
	*lifecycle.Machine
	t   *testing.T
	now lifecycle.Instant
	saw []lifecycle.Effect
	// wants is the release it wants last.
	wants lifecycle.Resolve
}

func web() *config.Service {
	return &config.Service{
		Name: "web", Command: []string{"/bin/web"}, Umask: -1, Autostart: true,
		Warmup: time.Second, StartTimeout: time.Minute,
		StopSignal: syscall.SIGTERM, StopTimeout: 30 * time.Second, KillMode: config.KillMixed,
		Restart: config.RestartAlways, RestartDelay: 500 * time.Millisecond, RestartMaxDelay: 30 * time.Second,
		SuccessExitCodes: []int{0}, MaxDraining: 2, Output: config.OutputInherit,
	}
}

// newBench returns a machine that has nothing running.
func newBench(t *testing.T, c *config.Service) *bench {
	return &bench{Machine: lifecycle.NewMachine(c, lifecycle.Record{}), t: t, now: lifecycle.Instant(time.Hour)}
}

// serving returns a machine whose generation 1 serves.
func serving(t *testing.T, c *config.Service) *bench {
	t.Helper()
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	b.up("/releases/1")
	b.want(lifecycle.StateRunning, "resolve new")
	return b
}

// tell tells the machine something and returns what it wants now. Before, the
// machine becomes what its JSON says: it must survive that in any phase.
func (b *bench) tell(in lifecycle.Input) []lifecycle.Effect {
	text, err := json.Marshal(b.Machine)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Machine = new(lifecycle.Machine)
	if err := json.Unmarshal(text, b.Machine); err != nil {
		b.t.Fatal(err)
	}
	effects := b.Step(b.now, in)
	b.saw = append(b.saw, effects...)
	for _, e := range effects {
		if e, ok := e.(lifecycle.Resolve); ok {
			b.wants = e
		}
	}
	return effects
}

// pass lets time pass and ticks whenever the machine asked for it.
func (b *bench) pass(d time.Duration) {
	until := b.now.Add(d)
	for b.Deadline() <= until {
		b.now = max(b.now, b.Deadline())
		b.tell(lifecycle.Tick{})
	}
	b.now = until
}

// ask asks for a reload and gives the turn that the machine asks for.
func (b *bench) ask(id uint64) {
	c := b.Config
	b.tell(lifecycle.Reload{ID: id, Config: c})
	b.turn()
}

func (b *bench) turn() { b.tell(lifecycle.Turn{Ticket: b.Tickets}) }

// start brings the incoming generation as far as its first instruction.
func (b *bench) start(dir string) int {
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config, Dir: dir}})
	n := b.Generations
	b.tell(lifecycle.Spawned{Generation: n, PID: 100 + n})
	for _, e := range b.tell(lifecycle.Execed{Generation: n}) {
		if p, ok := e.(lifecycle.Prove); ok { // what runs listens on nothing
			b.tell(lifecycle.Proved{Generation: p.Generation, Needless: true})
		}
	}
	return n
}

// resolve answers what the machine wants resolved: with what is in dir, or with
// the release it asks for again.
func (b *bench) resolve(dir string) {
	in := lifecycle.Resolved{Attempt: b.wants.Attempt, Release: b.wants.Reuse, Reused: b.wants.Reuse != nil}
	if !in.Reused {
		in.Release = &release.Release{Service: b.wants.Config, Dir: dir}
	}
	b.tell(in)
}

// run brings the newest generation from its launch to its first instruction.
func (b *bench) run() int {
	n := b.Generations
	b.tell(lifecycle.Spawned{Generation: n, PID: 100 + n})
	b.tell(lifecycle.Execed{Generation: n})
	return n
}

// hookDone ends the command that was begun last.
func (b *bench) hookDone(failure string, tail ...string) {
	b.tell(lifecycle.HookDone{Token: b.Hooks, Failure: failure, Tail: tail})
}

// ended is what the world heard of the end of a reload, or of a start.
func (b *bench) ended() lifecycle.Event {
	b.t.Helper()
	for _, e := range slices.Backward(b.saw) {
		if e, ok := e.(lifecycle.Emit); ok && (e.Event.Kind == lifecycle.KindReloadEnded || e.Event.Kind == lifecycle.KindStartFailed) {
			return e.Event
		}
	}
	b.t.Fatal("the world hears of no end")
	return lifecycle.Event{}
}

// told is whether the world heard of it.
func (b *bench) told(kind lifecycle.Kind) bool {
	return slices.ContainsFunc(b.saw, func(e lifecycle.Effect) bool {
		x, ok := e.(lifecycle.Emit)
		return ok && x.Event.Kind == kind
	})
}

// up does so and lets its warm-up pass.
func (b *bench) up(dir string) int {
	n := b.start(dir)
	b.pass(b.Config.Warmup)
	return n
}

func (b *bench) exit(generation int, e lifecycle.Exit) {
	b.tell(lifecycle.Exited{Generation: generation, Exit: e})
	if !e.Rest {
		b.tell(lifecycle.Emptied{Generation: generation})
	}
}

// want checks the state, and what the machine wanted done since the last call, in
// the words of said.
func (b *bench) want(state lifecycle.State, lines ...string) {
	b.t.Helper()
	if got := b.State(); got != state {
		b.t.Errorf("state is %s, want %s", got, state)
	}
	got := said(b.saw)
	b.saw = nil
	if !slices.Equal(got, lines) {
		b.t.Errorf("wanted done:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(lines, "\n\t"))
	}
}

// said puts into words what is wanted done, but for what only tells about it.
func said(effects []lifecycle.Effect) []string {
	var lines []string
	for _, e := range effects {
		switch e := e.(type) {
		case lifecycle.Signal:
			whom := "main"
			if e.Group {
				whom = "group"
			}
			lines = append(lines, fmt.Sprintf("%s to the %s of %d", config.SignalName(e.Signal), whom, e.Generation))
		case lifecycle.Resolve:
			dir := "new"
			if e.Reuse != nil {
				dir = e.Reuse.Dir
			}
			lines = append(lines, "resolve "+dir)
		case lifecycle.RunHook:
			line := fmt.Sprintf("run %s for %d", e.Kind, e.Generation)
			if e.Result != "" {
				line += " " + string(e.Result)
			}
			lines = append(lines, line)
		case lifecycle.KillHook:
			lines = append(lines, fmt.Sprintf("kill hook %d", e.Token))
		case lifecycle.Publish:
			lines = append(lines, fmt.Sprintf("publish %d", e.Generation))
		case lifecycle.Retract:
			lines = append(lines, fmt.Sprintf("retract %d", e.Generation))
		case lifecycle.Restore:
			lines = append(lines, "restore")
		case lifecycle.Pass:
			lines = append(lines, fmt.Sprintf("pass %s to %d", config.SignalName(e.Signal), e.Generation))
		case lifecycle.Answer:
			lines = append(lines, fmt.Sprintf("answer %v %s", e.IDs, e.Result))
		case lifecycle.DownForGood:
			lines = append(lines, fmt.Sprintf("down for good, code %d", e.Code))
		case lifecycle.Ended:
			lines = append(lines, "ended")
		}
	}
	return lines
}

func TestReloadStopsTheOldOneOnlyWhenTheNewOneIsWarm(t *testing.T) {
	b := serving(t, web())
	b.ask(7)
	b.want(lifecycle.StateRunning, "resolve new")
	b.start("/releases/2")
	b.pass(time.Second - 1)
	b.want(lifecycle.StateRunning)
	b.pass(1)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
	b.exit(1, lifecycle.Exit{})
	if b.Deadline() != lifecycle.Never {
		t.Errorf("idle, but waits for %v", b.Deadline().Sub(b.now))
	}
}

func TestReloadThatFailsKeepsTheOldOne(t *testing.T) {
	failures := []struct {
		name string
		fail func(b *bench)
		then []string
	}{
		{"it cannot be resolved", func(b *bench) {
			b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts, Reason: "no such directory"})
		}, nil},
		{"it is never resolved", func(b *bench) { b.pass(time.Minute) }, nil},
		{"it gets no process", func(b *bench) {
			b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config}})
			b.tell(lifecycle.SpawnFailed{Generation: 2, Reason: "listen: address already in use"})
		}, nil},
		{"its command does not begin", func(b *bench) {
			b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config}})
			b.tell(lifecycle.Spawned{Generation: 2, PID: 102})
			b.pass(time.Minute)
		}, []string{"TERM to the main of 2"}},
		{"it ends in its warm-up", func(b *bench) { b.exit(b.start("/releases/2"), lifecycle.Exit{Code: 1}) }, nil},
	}
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			b := serving(t, web())
			b.ask(7)
			b.want(lifecycle.StateRunning, "resolve new")
			f.fail(b)
			b.want(lifecycle.StateRunning, append(f.then, "answer [7] kept_old")...)
		})
	}
}

func TestTheIncomingOneGoesOnWhenTheOldOneDies(t *testing.T) {
	b := serving(t, web())
	b.ask(7)
	b.start("/releases/2")
	b.exit(1, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve new")
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "answer [7] promoted")
	b.pass(time.Hour)
	b.want(lifecycle.StateRunning) // and nobody starts the old one again
}

func TestACrashIsFollowedByAStartOfTheSameReleaseAtOnceThenEverLater(t *testing.T) {
	b := serving(t, web())
	c := *b.Config
	c.Warmup = 0
	b.tell(lifecycle.Reload{ID: 7, Config: &c}) // asked for, but it never gets its turn
	b.saw = nil
	b.pass(10 * time.Second)
	b.exit(1, lifecycle.Exit{Signal: syscall.SIGSEGV})
	b.want(lifecycle.StateStarting, "resolve /releases/1")
	for i, delay := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
		b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts})
		b.want(lifecycle.StateBackoff)
		b.pass(delay - 1)
		b.want(lifecycle.StateBackoff)
		b.pass(1)
		if b.State() != lifecycle.StateStarting {
			t.Fatalf("restart %d: not after %v", i+2, delay)
		}
		b.saw = nil
	}
}

func TestARestartLimitIsReachedByEndsInARow(t *testing.T) {
	c := web()
	c.RestartLimit = 2
	b := serving(t, c)
	b.pass(10 * time.Second)
	b.exit(1, lifecycle.Exit{Code: 1})
	b.exit(b.start("/releases/1"), lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateBackoff, "resolve /releases/1")
	b.pass(time.Second)
	b.exit(b.start("/releases/1"), lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateFailed, "resolve /releases/1")
	b.pass(time.Hour)
	b.want(lifecycle.StateFailed)
	b.ask(7)
	b.up("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "answer [7] started")
}

func TestAReloadInBackoffBeginsAtOnceWithTheCountersReset(t *testing.T) {
	b := serving(t, web())
	for range 8 {
		b.exit(b.Generations, lifecycle.Exit{Code: 1})
		b.pass(time.Minute)
		b.start("/releases/1")
	}
	b.exit(b.Generations, lifecycle.Exit{Code: 1})
	b.saw = nil
	b.ask(7)
	b.want(lifecycle.StateStarting, "resolve new")
	b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts})
	b.want(lifecycle.StateStarting, "answer [7] failed", "resolve /releases/1")
}

func TestRestartPolicyDecidesWhatIsStartedAgain(t *testing.T) {
	ends := []struct {
		name    string
		restart config.Restart
		exit    lifecycle.Exit
		state   lifecycle.State
	}{
		{"always, clean", config.RestartAlways, lifecycle.Exit{}, lifecycle.StateStarting},
		{"always, not clean", config.RestartAlways, lifecycle.Exit{Code: 1}, lifecycle.StateStarting},
		{"on-failure, clean", config.RestartOnFailure, lifecycle.Exit{}, lifecycle.StateDone},
		{"on-failure, not clean", config.RestartOnFailure, lifecycle.Exit{Code: 1}, lifecycle.StateStarting},
		{"on-failure, of a signal", config.RestartOnFailure, lifecycle.Exit{Signal: syscall.SIGTERM}, lifecycle.StateStarting},
		{"no, clean", config.RestartNo, lifecycle.Exit{}, lifecycle.StateDone},
		{"no, not clean", config.RestartNo, lifecycle.Exit{Code: 1}, lifecycle.StateFailed},
	}
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			c := web()
			c.Restart = e.restart
			b := serving(t, c)
			b.exit(1, e.exit)
			if got := b.State(); got != e.state {
				t.Errorf("state is %s, want %s", got, e.state)
			}
		})
	}
}

func TestRequestsToABusyServiceAreAnsweredByOneMoreReload(t *testing.T) {
	b := serving(t, web())
	b.ask(7)
	for id := uint64(8); id < 20; id++ {
		b.tell(lifecycle.Reload{ID: id, Config: b.Config})
	}
	b.up("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "answer [7] promoted")
	b.exit(1, lifecycle.Exit{})
	b.turn()
	b.up("/releases/3")
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 2", "answer [8 9 10 11 12 13 14 15 16 17 18 19] promoted")
	b.exit(2, lifecycle.Exit{})
	b.pass(time.Hour)
	b.want(lifecycle.StateRunning)
}

func TestAReloadWaitsForADrainSlot(t *testing.T) {
	c := web()
	c.MaxDraining = 1
	b := serving(t, c)
	b.ask(7)
	b.up("/releases/2")
	b.saw = nil
	b.ask(8)
	b.want(lifecycle.StateRunning) // 1 drains
	b.exit(1, lifecycle.Exit{})
	b.turn()
	b.want(lifecycle.StateRunning, "resolve new")
}

func TestKillComesAtStopTimeoutToTheWholeGroup(t *testing.T) {
	b := serving(t, web())
	b.ask(7)
	b.up("/releases/2")
	b.saw = nil
	b.pass(30*time.Second - 1)
	b.want(lifecycle.StateRunning)
	b.pass(1)
	b.want(lifecycle.StateRunning, "KILL to the group of 1")
}

func TestTheRestOfAGroupGetsTheStopSignalAtOnce(t *testing.T) {
	b := serving(t, web())
	b.ask(7)
	b.up("/releases/2")
	b.saw = nil
	b.exit(1, lifecycle.Exit{Rest: true})
	b.want(lifecycle.StateRunning, "TERM to the group of 1")
	if living := b.Living(); len(living) != 2 {
		t.Errorf("the ledger has %v, want the rest of 1 and 2", living)
	}
	b.pass(30 * time.Second)
	b.want(lifecycle.StateRunning, "KILL to the group of 1")
	b.tell(lifecycle.Emptied{Generation: 1})
	if living := b.Living(); len(living) != 1 {
		t.Errorf("the ledger has %v, want 2 alone", living)
	}
}

func TestATermWinsInEveryPhase(t *testing.T) {
	phases := []struct {
		name  string
		reach func(b *bench)
		then  []string
	}{
		{"idle", func(*bench) {}, []string{"TERM to the main of 1"}},
		{"resolving", func(b *bench) { b.ask(7) }, []string{"answer [7] aborted", "TERM to the main of 1"}},
		{"warming", func(b *bench) { b.ask(7); b.start("/releases/2") }, []string{"answer [7] aborted", "TERM to the main of 2", "TERM to the main of 1"}},
		{"draining", func(b *bench) { b.ask(7); b.up("/releases/2") }, []string{"TERM to the main of 2"}},
		{"in backoff", func(b *bench) {
			b.exit(1, lifecycle.Exit{Code: 1})
			b.tell(lifecycle.ResolveFailed{Attempt: b.Attempts})
		}, []string{"ended"}},
	}
	for _, p := range phases {
		t.Run(p.name, func(t *testing.T) {
			b := serving(t, web())
			p.reach(b)
			b.saw = nil
			b.tell(lifecycle.Stop{Until: b.now.Add(20 * time.Second), Why: lifecycle.StopShutdown})
			got := said(b.saw)
			b.saw = nil
			if !slices.Equal(got, p.then) {
				t.Errorf("wanted done: %v, want %v", got, p.then)
			}
			b.pass(20 * time.Second) // none of them listens
			for _, l := range b.Living() {
				b.exit(l.Generation, lifecycle.Exit{Signal: syscall.SIGKILL})
			}
			b.pass(time.Hour)
			if n := strings.Count(strings.Join(append(got, said(b.saw)...), "\n"), "ended"); n != 1 || b.State() != lifecycle.StateStopped {
				t.Errorf("it is %s and said %d times that it ended, want stopped and once", b.State(), n)
			}
		})
	}
}

func TestWhatIsBeingForkedWhenItIsGivenUpIsKilledOnceItIsThere(t *testing.T) {
	b := serving(t, web())
	b.ask(7)
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config}})
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	b.saw = nil
	b.tell(lifecycle.Spawned{Generation: 2, PID: 102})
	b.want(lifecycle.StateStopping, "KILL to the group of 2")
}

func TestSocketsOfAStartThatCameTooLateAreClosed(t *testing.T) {
	for _, in := range []lifecycle.Input{lifecycle.Spawned{Generation: 2, PID: 102}, lifecycle.SpawnFailed{Generation: 2}} {
		c := web()
		c.Listen = []config.Listen{{Network: "tcp", Address: "127.0.0.1:8000", Name: "web"}}
		b := serving(t, c)
		next := *c
		next.Listen = []config.Listen{{Network: "tcp", Address: "127.0.0.1:8001", Name: "web"}}
		b.Config = &next
		b.ask(7)
		b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config}})
		b.pass(time.Minute) // the fork hangs, and is given up
		kept := keeps(b.tell(in))
		if !slices.Contains(kept, c.Listen[0]) || slices.Contains(kept, b.Config.Listen[0]) {
			t.Errorf("%T: sockets kept: %v, want that of the generation that serves", in, kept)
		}
	}
}

func onPorts(ports ...string) []config.Listen {
	var all []config.Listen
	for _, port := range ports {
		all = append(all, config.Listen{Network: "tcp", Address: "127.0.0.1:" + port, Name: "web"})
	}
	return all
}

// Its queue is not lost then, and its address is not taken by a generation that is slow
// to end.
func TestSocketsOfAStartThatFailedStayOpenForTheNext(t *testing.T) {
	c := web()
	c.Listen = onPorts("8000")
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	for n := 1; n <= 3; n++ {
		b.resolve("/releases/1")
		b.run()
		b.saw = nil
		b.exit(n, lifecycle.Exit{Code: 3})
		if kept := keeps(b.saw); !slices.Equal(kept, c.Listen) {
			t.Fatalf("after start %d that failed the sockets kept are %v, want %v", n, kept, c.Listen)
		}
		b.pass(5 * time.Second)
	}
}

func TestSocketsOfAReleaseThatCanBeRolledBackToStayOpen(t *testing.T) {
	c := web()
	c.Listen, c.Ready = onPorts("8000", "8001"), &config.Ready{Kind: config.ReadyWarmup}
	c.Probation = 10 * time.Second
	b := serving(t, c)
	next := *c
	next.Listen = c.Listen[:1]
	b.Config = &next
	b.ask(7)
	b.saw = nil
	b.up("/releases/2")
	b.pass(time.Second)
	if kept := keeps(b.saw); !slices.Contains(kept, c.Listen[1]) {
		t.Errorf("in its probation the sockets kept are %v, want also %v", kept, c.Listen[1])
	}
	b.pass(10 * time.Second)
	if kept := keeps(b.saw); !slices.Contains(kept, c.Listen[0]) || slices.Contains(kept, c.Listen[1]) {
		t.Errorf("after its probation the sockets kept are %v, want %v", kept, next.Listen)
	}
}

// Else a check of the port says that it is up, and clients wait for ever.
func TestSocketsOfWhatIsNotStartedAgainAreClosed(t *testing.T) {
	for name, c := range map[string]config.Service{
		"restart = no":  {Restart: config.RestartNo},
		"restart_limit": {Restart: config.RestartAlways, RestartLimit: 1},
	} {
		w := web()
		w.Listen, w.Restart, w.RestartLimit = onPorts("8000"), c.Restart, c.RestartLimit
		b := serving(t, w)
		b.exit(1, lifecycle.Exit{Code: 3})
		if kept := keeps(b.saw); kept == nil || len(kept) > 0 {
			t.Errorf("%s: the sockets kept are %v, want none", name, kept)
		}
		told := false
		for _, e := range b.saw {
			e, ok := e.(lifecycle.Emit)
			told = told || ok && strings.Contains(e.Event.Reason, "its addresses refuse connections")
		}
		if !told {
			t.Errorf("%s: nobody is told", name)
		}
		b.ask(7)
		b.up("/releases/2")
		if kept := keeps(b.saw); !slices.Equal(slices.Compact(kept), w.Listen) {
			t.Errorf("%s: after a reload the sockets kept are %v, want %v", name, kept, w.Listen)
		}
	}
}

func TestSocketsOfAServiceThatComesBackWantedDownAreClosed(t *testing.T) {
	c := web()
	c.Listen = []config.Listen{{Network: "tcp", Address: "127.0.0.1:8000", Name: "web"}}
	b := serving(t, c)
	b.tell(lifecycle.Stop{ID: 7, Until: lifecycle.Never, Why: lifecycle.StopRemoved})
	down := *c
	down.Autostart = false
	if kept := keeps(b.tell(lifecycle.Declare{Config: &down})); kept == nil || len(kept) > 0 {
		t.Errorf("sockets kept: %v, want none", kept)
	}
}

// keeps is what is kept open at the end of it; nil if nothing is said about that.
func keeps(effects []lifecycle.Effect) []config.Listen {
	var kept []config.Listen
	for _, e := range effects {
		if k, ok := e.(lifecycle.KeepSockets); ok {
			kept = append([]config.Listen{}, k.Listen...)
		}
	}
	return kept
}

// What was removed from the file can come back; hupwatch must not take its end
// for that of the stop that follows.
func TestOnlyAFinalStopEnds(t *testing.T) {
	b := serving(t, web())
	b.tell(lifecycle.Stop{ID: 7, Until: lifecycle.Never, Why: lifecycle.StopRemoved})
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateStopped, "TERM to the main of 1", "answer [7] stopped")
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	b.want(lifecycle.StateStopped, "ended")
}

func TestAServiceThatComesBackWhileItDrainsStartsAnew(t *testing.T) {
	b := serving(t, web())
	b.tell(lifecycle.Stop{ID: 7, Until: lifecycle.Never, Why: lifecycle.StopRemoved})
	b.tell(lifecycle.Declare{Config: b.Config})
	b.ask(8)
	b.want(lifecycle.StateStarting, "TERM to the main of 1", "answer [7] aborted", "resolve new")
	b.up("/releases/2")
	b.want(lifecycle.StateRunning, "answer [8] started")
}

func TestWhatDoesNotEvenDieOfKillIsGivenUp(t *testing.T) {
	b := serving(t, web())
	b.tell(lifecycle.Stop{Until: b.now.Add(time.Second), Why: lifecycle.StopShutdown})
	b.pass(time.Second)
	b.want(lifecycle.StateStopping, "TERM to the main of 1", "KILL to the group of 1")
	b.pass(5*time.Second - 1)
	b.want(lifecycle.StateStopping)
	b.pass(1)
	b.want(lifecycle.StateStopping, "ended")
}

func TestAServiceWantedDownIsSkipped(t *testing.T) {
	c := web()
	c.Autostart = false
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	b.ask(7)
	b.want(lifecycle.StateStopped, "answer [7] skipped")
}

func TestAnEssentialServiceThatIsDownForGoodSaysSoOnce(t *testing.T) {
	c := web()
	c.Essential, c.Restart = true, config.RestartNo
	b := serving(t, c)
	b.exit(1, lifecycle.Exit{Code: 3})
	b.want(lifecycle.StateFailed, "down for good, code 3")
	b.pass(time.Hour)
	b.want(lifecycle.StateFailed)
}

func TestAStartThatHungForLongIsWaitedForOnceMoreAtTheEnd(t *testing.T) {
	b := serving(t, web())
	b.ask(1)
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config, Dir: "/releases/2"}})
	b.pass(5 * time.Minute) // start_timeout, KILL, abandoned
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	b.tell(lifecycle.Exited{Generation: 1})
	for _, e := range b.saw {
		if _, ended := e.(lifecycle.Ended); ended {
			t.Fatal("it has ended, and its process may come yet")
		}
	}
	b.tell(lifecycle.Spawned{Generation: 2, PID: 102})
	for _, e := range b.tell(lifecycle.Exited{Generation: 2, Exit: lifecycle.Exit{Signal: 9}}) {
		if _, ended := e.(lifecycle.Ended); ended {
			return
		}
	}
	t.Error("it has not ended, and nothing of it lives")
}
