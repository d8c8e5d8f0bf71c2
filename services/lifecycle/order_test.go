package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// stood is what those that depend on it were told, since the last call.
func (b *bench) stood() (all []bool) {
	for _, e := range b.saw {
		if e, ok := e.(lifecycle.TellDependents); ok {
			all = append(all, e.Ready)
		}
	}
	b.saw = nil
	return all
}

func (b *bench) wantStood(want ...bool) {
	b.t.Helper()
	if got := b.stood(); !slices.Equal(got, want) {
		b.t.Errorf("told those that depend on it %v, want %v", got, want)
	}
}

func TestWhatDependsOnOthersStartsOnceTheyAreReady(t *testing.T) {
	b := newBench(t, web())
	b.tell(lifecycle.Await{Names: []string{"db", "cache"}})
	b.tell(lifecycle.Start{})
	b.want(lifecycle.StateWaiting)
	b.pass(time.Hour)
	b.tell(lifecycle.Await{Names: []string{"db"}})
	b.want(lifecycle.StateWaiting)
	b.tell(lifecycle.Await{})
	b.want(lifecycle.StateStarting, "resolve new")
}

func TestAReloadOfWhatWaitsForOthersWaitsToo(t *testing.T) {
	b := newBench(t, web())
	b.tell(lifecycle.Await{Names: []string{"db"}})
	b.tell(lifecycle.Start{})
	b.ask(7)
	b.want(lifecycle.StateWaiting)
	b.tell(lifecycle.Await{})
	b.turn()
	b.up("/releases/1") // that start ends first
	b.want(lifecycle.StateRunning, "resolve new")
	b.turn()
	b.up("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "answer [7] promoted")
}

// Nobody knows how long it will take: who asked has to know that it is not done.
func TestRequestsThatWaitForAFailedDependencyAreAnswered(t *testing.T) {
	b := newBench(t, web())
	b.tell(lifecycle.Await{Names: []string{"cache", "db"}})
	b.tell(lifecycle.Start{})
	b.tell(lifecycle.Reload{ID: 7, Config: b.Config})
	b.want(lifecycle.StateWaiting)
	b.tell(lifecycle.Await{Names: []string{"cache", "db"}, Failed: []string{"db"}})
	b.want(lifecycle.StateWaiting, "answer [7] failed")
	b.tell(lifecycle.Up{ID: 8, Config: b.Config})
	b.want(lifecycle.StateWaiting, "answer [8] failed")
	b.tell(lifecycle.Restart{ID: 9, Config: b.Config})
	b.want(lifecycle.StateWaiting, "answer [9] failed")
	b.tell(lifecycle.Await{Names: []string{"db"}}) // somebody has mended it
	b.tell(lifecycle.Reload{ID: 10, Config: b.Config})
	b.want(lifecycle.StateWaiting)
	b.tell(lifecycle.Await{})
	b.turn()
	b.up("/releases/1")
	b.turn()
	b.up("/releases/2")
	b.want(lifecycle.StateRunning, "resolve new", "resolve new", "TERM to the main of 1", "answer [10] promoted")
}

func TestFailureOfAServiceIsToldToItsDependentsUntilItIsMended(t *testing.T) {
	told := func(b *bench) (failed []bool) {
		for _, e := range b.saw {
			if e, ok := e.(lifecycle.TellDependents); ok {
				failed = append(failed, e.Failed)
			}
		}
		b.saw = nil
		return failed
	}
	c := web()
	c.Restart = config.RestartNo
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	b.start("/releases/1")
	b.exit(1, lifecycle.Exit{Code: 1})
	if got := told(b); !slices.Equal(got, []bool{true}) {
		t.Errorf("at its failure it is told %v, want true", got)
	}
	b.ask(7) // whoever asks takes it that it may become ready
	if got := told(b); len(got) > 0 {
		t.Errorf("at its reload it is told %v, want nothing", got)
	}
	b.start("/releases/2")
	b.exit(2, lifecycle.Exit{Code: 1})
	if got := told(b); !slices.Equal(got, []bool{true}) {
		t.Errorf("at its second failure it is told %v, want true", got)
	}

	b = newBench(t, web()) // what waits for what failed will not be ready either
	b.tell(lifecycle.Await{Names: []string{"db"}})
	b.tell(lifecycle.Start{})
	b.tell(lifecycle.Await{Names: []string{"db"}, Failed: []string{"db"}})
	if got := told(b); !slices.Equal(got, []bool{true}) {
		t.Errorf("behind one that failed it is told %v, want true", got)
	}
}

func TestWhatWaitsForOthersCanBeStopped(t *testing.T) {
	b := newBench(t, web())
	b.tell(lifecycle.Await{Names: []string{"db"}})
	b.tell(lifecycle.Start{})
	b.tell(lifecycle.Down{ID: 7})
	b.want(lifecycle.StateStopped, "answer [7] stopped")
	b.tell(lifecycle.Await{})
	b.pass(time.Hour)
	b.want(lifecycle.StateStopped)
}

// What is up stays so, also when it crashes: depends_on is about who comes first.
func TestACrashRestartWaitsForNobody(t *testing.T) {
	b := serving(t, web())
	b.tell(lifecycle.Await{Names: []string{"db"}})
	b.want(lifecycle.StateRunning)
	b.exit(1, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve /releases/1")
}

func TestDependentsAreToldOnceItServes(t *testing.T) {
	b := newBench(t, web())
	b.tell(lifecycle.Start{})
	b.start("/releases/1")
	b.pass(time.Second - 1)
	b.wantStood()
	b.pass(1)
	b.wantStood(true)
	b.exit(1, lifecycle.Exit{Code: 1})
	b.wantStood(false)
}

func TestDependentsDoNotWaitForWhatIsNotWanted(t *testing.T) {
	c := web()
	c.Autostart = false
	b := newBench(t, c)
	b.tell(lifecycle.Start{})
	b.wantStood(true)
	b.tell(lifecycle.Up{ID: 7, Config: c})
	b.wantStood(false)
}

func TestDependentsDoNotWaitForWhatHasDoneItsWork(t *testing.T) {
	c := web()
	c.Restart = config.RestartOnFailure
	b := serving(t, c)
	b.stood()
	b.exit(1, lifecycle.Exit{})
	b.wantStood() // it served, and it has done what it had to
}

func TestDependentsWaitForEveryInstance(t *testing.T) {
	b := newBench(t, several(2))
	b.tell(lifecycle.Start{})
	b.resolve("/releases/1")
	b.run()
	b.pass(time.Second)
	if len(b.serving()) != 1 {
		t.Fatalf("serving %q", b.serving())
	}
	b.wantStood()
}
