package main

import (
	"fmt"
	"syscall"
	"testing"
)

const stormy = 200

// A HUP takes a few generations at most: the reload under way and one more, and
// as many again where the storm outlasts them.
const stormLimit = 6

// storm sends many HUPs and waits until what they ask for has been done.
func (d *daemon) storm(config string, n int) {
	d.t.Helper()
	for range stormy {
		d.signal(syscall.SIGHUP)
	}
	marker := fmt.Sprintf("marker%d", n)
	d.configure(config + service(marker, "serve"))
	d.signal(syscall.SIGHUP)
	d.up(marker, 1)
	for _, e := range d.all("msg=reload asked") {
		d.sees("msg=reload done", "reload="+e["reload"])
	}
}

func TestStormOfHangupsIsAFewReloads(t *testing.T) {
	t.Parallel()
	phases := []struct {
		name   string
		config string
		enter  func(d *daemon)
	}{
		{"when idle", service("web", "serve"), func(d *daemon) { d.up("web", 1) }},
		{"in the first warm-up", service("web", "serve", `warmup = "500ms"`), func(d *daemon) { d.serving("web", 1) }},
		{"in warm-up", service("web", "serve", `warmup = "500ms"`), func(d *daemon) {
			d.up("web", 1)
			d.signal(syscall.SIGHUP)
			d.serving("web", 2)
		}},
		{"in drain", service("web", "serve; gate g; exit 0"), func(d *daemon) {
			d.up("web", 1)
			for range 50 {
				d.open("g") // enough for all that follow
			}
			d.signal(syscall.SIGHUP)
			d.says("got TERM", "web", 1)
		}},
		{"in backoff", service("web", "exit 1", failing, `restart_delay = "1h"`, `restart_max_delay = "1h"`), func(d *daemon) {
			d.sees("msg=restart", "in=1h0m0s")
		}},
		{"of failing reloads", service("web", "serve"), func(d *daemon) {
			d.up("web", 1)
			d.configure(quick + service("web", "exit 1", failing))
			d.signal(syscall.SIGHUP)
			d.sees("msg=reload ended", "result=kept_old")
		}},
	}
	for _, phase := range phases {
		t.Run(phase.name, func(t *testing.T) {
			t.Parallel()
			d := startDaemon(t, quick+phase.config)
			phase.enter(d)
			before := len(d.all("msg=generation started", "service=web"))
			d.storm(quick+service("web", "serve"), 1)
			started := d.all("msg=generation started", "service=web")
			if n := len(started) - before; n < 1 || n > stormLimit {
				t.Errorf("%d HUPs started %d generations, want at most %d", stormy, n, stormLimit)
			}
			last := started[len(started)-1]
			for _, e := range started[:len(started)-1] {
				if alive(e.pid(t)) {
					d.sees("msg=generation exited", "service=web", "generation="+e["generation"])
				}
			}
			if !alive(last.pid(t)) {
				t.Errorf("nothing serves")
			}
			d.ends(syscall.SIGTERM, soon)
			d.neverKilled()
		})
	}
}

func TestStormOfUSR2sAndHangupsEndsWithTerm(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("a", "serve")+service("b", "serve"))
	d.up("a", 1)
	d.up("b", 1)
	for range stormy {
		d.name("a\n")
		d.signal(syscall.SIGHUP)
	}
	d.ends(syscall.SIGTERM, soon)
	for _, name := range []string{"a", "b"} {
		if n := len(d.all("msg=generation started", "service="+name)); n > 200 {
			t.Errorf("%s was started %d times", name, n)
		}
	}
}
