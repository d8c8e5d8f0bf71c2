package lifecycle_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

func publishing() *config.Service {
	c := web()
	c.Publish, c.Overlap = "/run/web.sock", 500*time.Millisecond
	return c
}

// published returns a machine whose generation 1 serves and is published.
func published(t *testing.T, c *config.Service) *bench {
	t.Helper()
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	b.resolve("/releases/1")
	b.run()
	b.wantUnix(1)
	b.tell(lifecycle.Proved{Generation: 1})
	b.want(lifecycle.StateStarting, "resolve new", "publish 1") // nobody else serves
	b.tell(lifecycle.Published{Generation: 1})
	b.pass(c.Warmup)
	b.tell(lifecycle.Proved{Generation: 1})
	b.pass(0)
	b.tell(lifecycle.Published{Generation: 1})
	b.pass(0)
	b.tell(lifecycle.Published{Generation: 1})
	if b.State() != lifecycle.StateRunning {
		t.Fatalf("it is %s", b.State())
	}
	b.saw = nil
	return b
}

// wantUnix checks that a generation is asked whether it accepts connections at the
// path of its own.
func (b *bench) wantUnix(generation int) {
	b.t.Helper()
	if !slices.ContainsFunc(b.saw, func(e lifecycle.Effect) bool {
		p, ok := e.(lifecycle.Prove)
		return ok && p.Generation == generation && p.Ready != nil && p.Ready.Kind == config.ReadyUnix && p.Ready.Address == "${HUPWATCH_BIND}"
	}) {
		b.t.Errorf("generation %d is not asked for its own path", generation)
	}
}

// It ended before anybody could look at what it listens on.
func TestEndForAnAddressInUseHasTheRemedy(t *testing.T) {
	b := serving(t, web())
	b.ask(7)
	b.start("/releases/2")
	b.tell(lifecycle.Exited{Generation: 2, Exit: lifecycle.Exit{Code: 1}, InUse: true})
	if e := b.ended(); e.Result != lifecycle.ResultKeptOld || !strings.Contains(e.Reason, "the old one may have it: "+lifecycle.ListenRemedy) {
		t.Errorf("the reload ended %s: %q", e.Result, e.Reason)
	}

	b = newBench(t, web()) // it is another process that has it
	b.tell(lifecycle.Start{})
	b.start("/releases/1")
	b.tell(lifecycle.Exited{Generation: 1, Exit: lifecycle.Exit{Code: 1}, InUse: true})
	if e := b.ended(); !strings.Contains(e.Reason, "ss -ltnp says by which process") {
		t.Errorf("the start failed: %q", e.Reason)
	}
}

// warm brings generation 2 of a reload to the end of its warm-up.
func (b *bench) warm() {
	b.ask(7)
	b.resolve("/releases/2")
	n := b.run()
	b.wantUnix(n)
	b.tell(lifecycle.Proved{Generation: n})
	b.pass(b.Config.Warmup)
	b.tell(lifecycle.Proved{Generation: n})
	b.pass(0)
}

func TestPublicPathIsFlippedOnceNewIsWarmAndBeforeOldIsStopped(t *testing.T) {
	b := published(t, publishing())
	b.ask(7)
	b.resolve("/releases/2")
	b.run()
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "resolve new")
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(0)
	b.want(lifecycle.StateRunning, "publish 2")
	b.pass(time.Second) // the file system takes its time
	b.want(lifecycle.StateRunning)
	b.tell(lifecycle.Published{Generation: 2})
	b.pass(500*time.Millisecond - 1)
	b.want(lifecycle.StateRunning)
	b.pass(1)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [7] promoted")
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateRunning, "retract 1")
}

func TestOneThatDiesInTheOverlapGivesThePathBack(t *testing.T) {
	b := published(t, publishing())
	b.warm()
	b.tell(lifecycle.Published{Generation: 2})
	b.pass(100 * time.Millisecond)
	b.saw = nil
	b.exit(2, lifecycle.Exit{Code: 1})
	if e := b.ended(); !strings.Contains(e.Reason, "while the one before it still served") {
		t.Errorf("the reason is %q", e.Reason)
	}
	b.want(lifecycle.StateRunning, "publish 1", "retract 2", "answer [7] kept_old")
}

func TestOneThatDiesWhileThePathIsBeingFlippedGivesItBack(t *testing.T) {
	b := published(t, publishing())
	b.warm()
	b.saw = nil
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateRunning, "publish 1", "retract 2", "answer [7] kept_old")
	b.tell(lifecycle.Published{Generation: 2}) // it was on its way
	b.tell(lifecycle.Published{Generation: 1})
	b.want(lifecycle.StateRunning)
}

func TestAPathThatCannotBeFlippedKeepsTheOldOne(t *testing.T) {
	b := published(t, publishing())
	b.warm()
	b.saw = nil
	b.tell(lifecycle.Published{Generation: 2, Failure: "symlink: read-only file system"})
	if e := b.ended(); !strings.Contains(e.Reason, "publish: symlink: read-only file system") {
		t.Errorf("the reason is %q", e.Reason)
	}
	b.want(lifecycle.StateRunning, "publish 1", "TERM to the main of 2", "answer [7] kept_old")
}

func TestAnOldOneThatDiesInTheOverlapEndsIt(t *testing.T) {
	b := published(t, publishing())
	b.warm()
	b.tell(lifecycle.Published{Generation: 2})
	b.saw = nil
	b.exit(1, lifecycle.Exit{Code: 1})
	b.pass(0)
	b.want(lifecycle.StateRunning, "retract 1", "publish 2", "answer [7] promoted")
}

func TestServiceWithoutAnOldOneIsPublishedOnceItIsReady(t *testing.T) {
	b := published(t, publishing())
	b.exit(1, lifecycle.Exit{Code: 1})
	b.resolve("")
	b.run()
	b.want(lifecycle.StateStarting, "retract 1", "resolve /releases/1")
	b.tell(lifecycle.Proved{Generation: 2})
	b.want(lifecycle.StateStarting, "publish 2")
}

func TestAnIncomingOneIsPublishedEarlyOnceTheOldOneDies(t *testing.T) {
	b := published(t, publishing())
	b.ask(7)
	b.resolve("/releases/2")
	b.run()
	b.tell(lifecycle.Proved{Generation: 2})
	b.saw = nil
	b.exit(1, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "retract 1", "publish 2")
}

func TestBeforeStopComesAfterTheOverlap(t *testing.T) {
	c := publishing()
	c.BeforeStop = []string{"./drain"}
	b := published(t, c)
	b.warm()
	b.tell(lifecycle.Published{Generation: 2})
	b.saw = nil
	b.pass(500*time.Millisecond - 1)
	b.want(lifecycle.StateRunning)
	b.pass(1)
	b.want(lifecycle.StateRunning, "run before_stop for 1")
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateRunning, "kill hook 1", "publish 1", "retract 2", "answer [7] kept_old")
}

func TestATermBeforeTheOldOneIsToldEndsBoth(t *testing.T) {
	b := published(t, publishing())
	b.warm()
	b.saw = nil
	b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown})
	b.want(lifecycle.StateStopping, "answer [7] aborted", "TERM to the main of 2", "TERM to the main of 1")
	b.tell(lifecycle.Published{Generation: 2})
	b.exit(2, lifecycle.Exit{})
	b.exit(1, lifecycle.Exit{})
	b.want(lifecycle.StateStopped, "retract 2", "retract 1", "ended")
}

// guards are the guards on or off, since the last call.
func (b *bench) guards() (lines []string) {
	for _, e := range b.saw {
		g, ok := e.(lifecycle.Guard)
		switch {
		case !ok:
		case !g.On:
			lines = append(lines, "off")
		case len(g.Held) > 0:
			lines = append(lines, "hold back "+strings.Join(g.Held, " "))
		default:
			lines = append(lines, "keep "+strings.Join(g.Kept, " "))
		}
	}
	b.saw = nil
	return lines
}

func (b *bench) wantGuards(want ...string) {
	b.t.Helper()
	if got := b.guards(); !slices.Equal(got, want) {
		b.t.Errorf("guards %q, want %q", got, want)
	}
}

// resolvePath answers what the machine wants resolved, where the active generation
// opened a socket itself.
func (b *bench) resolvePath(path string) {
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config, Dir: "/releases/2"}, Paths: []string{path}})
}

func TestThePathsOfSocketsAreGuardedFromTheStartOfTheNewOneUntilTheOldOneIsGone(t *testing.T) {
	b := serving(t, web())
	b.ask(7)
	b.guards()
	b.resolvePath("/run/web.sock")
	b.wantGuards("hold back /run/web.sock")
	b.run()
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(time.Second)
	b.tell(lifecycle.Proved{Generation: 2})
	b.pass(0)
	b.wantGuards("keep /run/web.sock")
	b.exit(1, lifecycle.Exit{})
	b.wantGuards("off")
}

func TestAPathThatANewOneTookIsPutBackWhenThatIsNoGood(t *testing.T) {
	b := serving(t, web())
	b.ask(7)
	b.resolvePath("/run/web.sock")
	b.run()
	b.saw = nil
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateRunning, "restore", "answer [7] kept_old")
}

// Where nothing is to serve at a path, it is not put back: whoever finds it there
// would take it for that of a server.
func TestAServerThatStopsMayRemoveItsSocket(t *testing.T) {
	reload := func(b *bench) {
		b.ask(7)
		b.resolvePath("/run/web.sock")
		b.run()
		b.tell(lifecycle.Proved{Generation: 2})
		b.pass(time.Second)
		b.tell(lifecycle.Proved{Generation: 2})
		b.pass(0)
		b.exit(1, lifecycle.Exit{})
	}
	stops := map[string]func(b *bench){
		"stop": func(b *bench) { b.tell(lifecycle.Down{ID: 8}) },
		"TERM": func(b *bench) { b.tell(lifecycle.Stop{Until: lifecycle.Never, Why: lifecycle.StopShutdown}) },
		"a reload that stops it first": func(b *bench) {
			c := *b.Config
			c.Reload = config.ReloadStopFirst
			b.Config = &c
			b.ask(8)
			b.resolvePath("/run/web.sock")
		},
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			b := serving(t, web())
			reload(b)
			b.saw = nil
			stop(b)
			for _, line := range b.guards() {
				if strings.HasPrefix(line, "keep") && strings.Contains(line, "/run/web.sock") {
					t.Errorf("it is put back: %s", line)
				}
			}
		})
	}
}
