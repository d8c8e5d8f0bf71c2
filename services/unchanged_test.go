package services_test

import (
	"slices"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services"
	"hupwatch/services/process"
)

// askChanged asks for a reload of what is new and gives the turn.
func (b *bench) askChanged(id uint64, c *config.Service) {
	b.tell(services.Reload{ID: id, Config: c, Changed: true})
	b.turn()
}

// made answers the Resolve under way with a release of the configuration now.
func (b *bench) made(dir string) {
	b.tell(services.Resolved{Attempt: b.Attempts, Release: &services.Release{Service: b.Config, Dir: dir}})
}

func TestAReloadOfWhatIsNewLeavesTheRestAlone(t *testing.T) {
	b := serving(t, web())
	b.askChanged(7, b.Config)
	b.made("/releases/1")
	for _, e := range b.saw {
		if e, ok := e.(services.Emit); ok && e.Event.Kind == services.KindReloadEnded && !slices.Equal(e.Event.Reloads, []uint64{7}) {
			t.Errorf("the reload that ended is said to be for %v, want 7", e.Event.Reloads)
		}
	}
	b.want(services.StateRunning, "resolve new", "answer [7] skipped")
	b.askChanged(8, b.Config)
	b.made("/releases/2")
	b.tell(services.Spawned{Generation: 2, PID: 102})
	b.exit(2, services.Exit{Code: 1})
	b.want(services.StateRunning, "resolve new", "answer [8] kept_old")
}

func TestKeysThatNeedNoNewProcessAreInForceAtOnce(t *testing.T) {
	b := serving(t, web())
	c := *b.Config
	c.StopTimeout, c.Restart = time.Minute, config.RestartOnFailure
	b.askChanged(7, &c)
	b.made("/releases/1")
	b.exit(1, services.Exit{Code: 1})
	b.want(services.StateStarting, "resolve new", "answer [7] skipped", "resolve /releases/1")
	b.tell(services.Resolved{Attempt: b.Attempts, Release: b.Slots[0].Good})
	b.tell(services.Spawned{Generation: 2, PID: 102})
	b.tell(services.Execed{Generation: 2})
	b.pass(time.Second)
	b.demand("stop", 8)
	b.pass(time.Minute - 1)
	b.want(services.StateStopping, "TERM to the main of 2")
	b.pass(1)
	b.want(services.StateStopping, "KILL to the group of 2")
}

func TestWhoWantsAReloadGetsItWhateverOthersWant(t *testing.T) {
	for _, fullFirst := range []bool{true, false} {
		b := serving(t, web())
		for i, full := range []bool{fullFirst, !fullFirst} {
			b.tell(services.Reload{ID: uint64(7 + i), Config: b.Config, Changed: !full})
		}
		b.turn()
		b.up("/releases/1")
		b.want(services.StateRunning, "resolve new", "TERM to the main of 1", "answer [7 8] promoted")
	}
}

func TestAReloadOfWhatIsNewStartsWhatDoesNotServe(t *testing.T) {
	b := serving(t, web())
	b.askChanged(7, b.Config)
	b.exit(1, services.Exit{Code: 1}) // and it is made only now
	b.up("/releases/1")
	b.want(services.StateRunning, "resolve new", "answer [7] promoted")
}

func TestWhatWouldBeStartedWithSomethingElseIsReloaded(t *testing.T) {
	differences := map[string]func(*services.Release){
		"directory":   func(r *services.Release) { r.Dir = "/releases/2" },
		"path":        func(r *services.Release) { r.Path = "/usr/bin/web" },
		"program":     func(r *services.Release) { r.Program.Modified = 1 },
		"environment": func(r *services.Release) { r.Env = []string{"A=2"} },
		"inherited":   func(r *services.Release) { r.Inherited = []string{"B=2"} },
		"account":     func(r *services.Release) { r.Credential = &process.Credential{UID: 2} },
		"command":     func(r *services.Release) { r.Service.Command = []string{"/bin/web", "-v"} },
		"listen":      func(r *services.Release) { r.Service.Listen = listening("8000").Listen },
		"umask":       func(r *services.Release) { r.Service.Umask = 0o22 },
	}
	for name, differ := range differences {
		t.Run(name, func(t *testing.T) {
			b := serving(t, web())
			c := *b.Config
			made := &services.Release{Service: &c, Dir: "/releases/1"}
			differ(made)
			b.askChanged(7, &c)
			b.tell(services.Resolved{Attempt: b.Attempts, Release: made})
			if g := b.Slots[0].Incoming; g == nil || g.Phase != services.PhaseStarting {
				t.Errorf("it is left alone: %v", said(b.saw))
			}
		})
	}
}
