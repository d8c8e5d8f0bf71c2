package main

import (
	"syscall"
	"testing"
	"time"
)

const stormy = 1000

// storm sends many HUPs, and one more when the file has changed. It waits until
// all that they asked for is done, and returns how long that took.
func (d *daemon) storm(config string) time.Duration {
	d.t.Helper()
	began := time.Now()
	for range stormy {
		d.signal(syscall.SIGHUP)
	}
	d.configure(config + service("marker", "serve"))
	d.signal(syscall.SIGHUP)
	// What is asked for by name is refused after every HUP before it was taken.
	// Between a HUP and a USR2 that wait at the same time there is no order, so
	// there are two.
	for n := range 2 {
		d.name("nobody\n")
		d.awaitAll(n+1, "msg=reload refused", "by=signal USR2")
	}
	for _, e := range d.all("msg=reload asked") {
		d.sees("msg=reload done", "reload="+e["reload"])
	}
	d.promoted("marker", 1)
	return time.Since(began)
}

func TestStormOfHangupsIsAFewReloads(t *testing.T) {
	t.Parallel()
	phases := []struct {
		name   string
		config string
		least  time.Duration // that a reload takes
		enter  func(d *daemon)
	}{
		{"when idle", service("web", "serve"), 50 * time.Millisecond, func(d *daemon) { d.up("web", 1) }},
		{"in the first warm-up", service("web", "serve", `warmup = "500ms"`), 50 * time.Millisecond, func(d *daemon) { d.serving("web", 1) }},
		{"in warm-up", service("web", "serve", `warmup = "500ms"`), 50 * time.Millisecond, func(d *daemon) {
			d.up("web", 1)
			d.signal(syscall.SIGHUP)
			d.serving("web", 2)
		}},
		{"in drain", service("web", "serve; gate g; exit 0"), 50 * time.Millisecond, func(d *daemon) {
			d.up("web", 1)
			d.openFor(stormy, "g") // enough for all that follow
			d.signal(syscall.SIGHUP)
			d.says("got TERM", "web", 1)
		}},
		{"in backoff", service("web", "exit 1", failing, `restart_delay = "1h"`, `restart_max_delay = "1h"`), time.Millisecond, func(d *daemon) {
			d.sees("msg=restart", "in=1h0m0s")
		}},
		{"of failing reloads", service("web", "serve"), time.Millisecond, func(d *daemon) {
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
			took := d.storm(quick + service("web", "serve"))
			started := d.all("msg=generation started", "service=web")
			// One under way, one after it, one for the last; more where they took
			// long to send.
			limit := 3 + int(took/phase.least)
			if n := len(started) - before; n < 1 || n > limit {
				t.Errorf("%d HUPs in %v started %d generations, want at most %d", stormy, took, n, limit)
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
