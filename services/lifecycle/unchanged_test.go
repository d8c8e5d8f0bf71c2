package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
	"hupwatch/services/release"
)

// askChanged asks for a reload of what is new and gives the turn.
func (b *bench) askChanged(id uint64, c *config.Service) {
	b.tell(lifecycle.Reload{ID: id, Config: c, Changed: true})
	b.turn()
}

// made answers the Resolve under way with a release of the configuration now.
func (b *bench) made(dir string) {
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config, Dir: dir}})
}

func TestReloadChangedSkipsWhatIsNotNew(t *testing.T) {
	b := serving(t, web())
	b.askChanged(7, b.Config)
	b.made("/releases/1")
	for _, e := range b.saw {
		if e, ok := e.(lifecycle.Emit); ok && e.Event.Kind == lifecycle.KindReloadEnded && !slices.Equal(e.Event.Reloads, []uint64{7}) {
			t.Errorf("the reload that ended is said to be for %v, want 7", e.Event.Reloads)
		}
	}
	b.want(lifecycle.StateRunning, "resolve new", "answer [7] skipped")
	b.askChanged(8, b.Config)
	b.made("/releases/2")
	b.tell(lifecycle.Spawned{Generation: 2, PID: 102})
	b.exit(2, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateRunning, "resolve new", "answer [8] kept_old")
}

func TestKeysThatNeedNoNewProcessAreInForceAtOnce(t *testing.T) {
	b := serving(t, web())
	c := *b.Config
	c.StopTimeout, c.Restart = time.Minute, config.RestartOnFailure
	b.askChanged(7, &c)
	b.made("/releases/1")
	b.exit(1, lifecycle.Exit{Code: 1})
	b.want(lifecycle.StateStarting, "resolve new", "answer [7] skipped", "resolve /releases/1")
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: b.Slots[0].Good})
	b.tell(lifecycle.Spawned{Generation: 2, PID: 102})
	b.tell(lifecycle.Execed{Generation: 2})
	b.pass(time.Second)
	b.demand("stop", 8)
	b.pass(time.Minute - 1)
	b.want(lifecycle.StateStopping, "TERM to the main of 2")
	b.pass(1)
	b.want(lifecycle.StateStopping, "KILL to the group of 2")
}

func TestFullReloadIsDoneThoughOthersWantOnlyWhatChanged(t *testing.T) {
	for _, fullFirst := range []bool{true, false} {
		b := serving(t, web())
		for i, full := range []bool{fullFirst, !fullFirst} {
			b.tell(lifecycle.Reload{ID: uint64(7 + i), Config: b.Config, Changed: !full})
		}
		b.turn()
		b.up("/releases/1")
		b.want(lifecycle.StateRunning, "resolve new", "TERM to the main of 1", "answer [7 8] promoted")
	}
}

func TestReloadChangedStartsWhatDoesNotServe(t *testing.T) {
	b := serving(t, web())
	b.askChanged(7, b.Config)
	b.exit(1, lifecycle.Exit{Code: 1}) // and it is made only now
	b.up("/releases/1")
	b.want(lifecycle.StateRunning, "resolve new", "answer [7] promoted")
}

func TestReloadChangedReloadsWhatWouldStartDifferently(t *testing.T) {
	differences := map[string]func(*release.Release){
		"directory":   func(r *release.Release) { r.Dir = "/releases/2" },
		"path":        func(r *release.Release) { r.Path = "/usr/bin/web" },
		"program":     func(r *release.Release) { r.Program.Modified = 1 },
		"environment": func(r *release.Release) { r.Env = []string{"A=2"} },
		"inherited":   func(r *release.Release) { r.Inherited = []string{"B=2"} },
		"account":     func(r *release.Release) { r.Credential = &process.Credential{UID: 2} },
		"command":     func(r *release.Release) { r.Service.Command = []string{"/bin/web", "-v"} },
		"listen":      func(r *release.Release) { r.Service.Listen = listening("8000").Listen },
		"umask":       func(r *release.Release) { r.Service.Umask = 0o22 },
	}
	for name, differ := range differences {
		t.Run(name, func(t *testing.T) {
			b := serving(t, web())
			c := *b.Config
			made := &release.Release{Service: &c, Dir: "/releases/1"}
			differ(made)
			b.askChanged(7, &c)
			b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: made})
			if g := b.Slots[0].Incoming; g == nil || g.Phase != lifecycle.PhaseStarting {
				t.Errorf("it is left alone: %v", said(b.saw))
			}
		})
	}
}
