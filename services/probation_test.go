package services_test

import (
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services"
)

// onProbation returns a machine whose generation 2 has just taken the place of 1.
func onProbation(t *testing.T, c *config.Service) *bench {
	t.Helper()
	c.Probation = 10 * time.Second
	b := serving(t, c)
	b.ask(1)
	b.up("/releases/2")
	b.exit(1, services.Exit{})
	b.want(services.StateRunning, "resolve new", "TERM to the main of 1", "answer [1] promoted")
	return b
}

func TestAReleaseThatEndsOnProbationIsRolledBackAtOnce(t *testing.T) {
	b := onProbation(t, web())
	b.pass(9 * time.Second)
	b.exit(2, services.Exit{Code: 1})
	b.want(services.StateStarting, "resolve /releases/1")
	b.up("/releases/1")
	b.exit(3, services.Exit{Code: 1}) // from now on it is a crash like any other
	b.want(services.StateBackoff)
	b.pass(500 * time.Millisecond)
	b.want(services.StateStarting, "resolve /releases/1")
}

func TestAReleaseOnProbationThatSomebodyKilledIsStartedAgain(t *testing.T) {
	b := onProbation(t, web())
	b.tell(services.Forward{ID: 2, Signal: syscall.SIGKILL})
	b.saw = nil
	b.exit(2, services.Exit{Signal: syscall.SIGKILL})
	b.want(services.StateStarting, "resolve /releases/2")
}

func TestAReleaseThatStoodItsProbationIsStartedAgain(t *testing.T) {
	b := onProbation(t, web())
	b.pass(11 * time.Second)
	if got := b.Deadline(); got != services.Never {
		t.Errorf("waits for %v with nothing to wait for", got)
	}
	b.exit(2, services.Exit{Code: 1})
	b.want(services.StateStarting, "resolve /releases/2")
}

func TestAReleaseOnProbationIsNoFallbackForTheNext(t *testing.T) {
	b := onProbation(t, web())
	b.pass(5 * time.Second)
	b.ask(2)
	b.up("/releases/3")
	b.exit(2, services.Exit{})
	b.want(services.StateRunning, "resolve new", "TERM to the main of 2", "answer [2] promoted")
	b.exit(3, services.Exit{Code: 1})
	b.want(services.StateStarting, "resolve /releases/1")
}

func TestAProperEndOnProbationIsNoFailure(t *testing.T) {
	c := web()
	c.Restart = config.RestartOnFailure
	b := onProbation(t, c)
	b.exit(2, services.Exit{})
	b.want(services.StateExited)
}

func TestAnIncomingGenerationGoesOnWhenTheOneOnProbationEnds(t *testing.T) {
	b := onProbation(t, web())
	b.ask(2)
	n := b.start("/releases/3")
	b.exit(2, services.Exit{Code: 1})
	b.want(services.StateStarting, "resolve new")
	b.exit(n, services.Exit{Code: 1})
	b.want(services.StateStarting, "answer [2] failed", "resolve /releases/1")
}

func TestAReleaseThatStoodItsProbationIsTheFallbackHoweverBusyTheHost(t *testing.T) {
	c := web()
	c.Warmup = 0
	b := onProbation(t, c)
	b.ask(2)
	b.tell(services.Resolved{Attempt: b.Attempts, Release: &services.Release{Service: b.Config, Dir: "/releases/3"}})
	b.tell(services.Spawned{Generation: 3, PID: 103})
	b.tell(services.Execed{Generation: 3})
	b.tell(services.Proved{Generation: 3})
	b.now = b.now.Add(time.Minute) // in which nothing happens, not even a Tick
	b.tell(services.Proved{Generation: 3})
	b.pass(0)
	b.exit(3, services.Exit{Code: 1})
	b.want(services.StateStarting, "resolve new", "TERM to the main of 2", "answer [2] promoted", "resolve /releases/2")
}
