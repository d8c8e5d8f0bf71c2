package main

import (
	"cmp"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Cleaners of /tmp and logouts remove what hupwatch keeps in its runtime directory.
// Nothing of that may keep a service down, or an operator out.
func TestRuntimeDirThatSomebodyRemovesIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"", "control.sock", "output", "notify", "state", "lock"} {
		t.Run("all or "+what, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, shortDir(t))
			d.configure(quick + service("web", "notify READY=1; gate crash${HUPWATCH_GENERATION}; exit 3", `ready = { notify = true }`, `restart_delay = "1ms"`) + service("other", "serve"))
			d.start()
			d.promoted("web", 1)
			d.promoted("other", 1)
			if err := os.RemoveAll(d.path("run", what)); err != nil {
				t.Fatal(err)
			}
			if what == "" || what == "lock" || what == "control.sock" { // at once: somebody may need it
				eventually(t, "what was removed is there again", func() bool {
					_, err := os.Lstat(d.path("run", cmp.Or(what, "control.sock")))
					return err == nil
				})
			}
			if what == "" || what == "lock" {
				wants(t, d.sees("msg=trouble")["err"], "removed", "made again")
			}

			d.open("crash1")
			d.promoted("web", 2)
			d.signal(syscall.SIGHUP)
			d.sees("msg=reload done", "promoted=2")
			d.asks(exitDone, "status")
			d.asks(exitDone, "reload", "--no-drain", "web")

			// And a later hupwatch still knows what lives.
			for _, name := range []string{"lock", "pid", "state/mark", "state/web.json", "state/other.json"} {
				if _, err := os.Stat(d.path("run", name)); err != nil {
					t.Error(err)
				}
			}
			if out, code := output(hupwatch("-c", d.path("hupwatch.toml"))); code != exitOther || !strings.Contains(out, "another hupwatch") {
				t.Errorf("a second hupwatch on the same directory ended with %d:\n%s", code, out)
			}
			d.ends(syscall.SIGTERM, soon)
		})
	}
}
