package main

import (
	"syscall"
	"testing"
)

// answeredOnce fails the test unless each of these requests was done, and once.
func (d *daemon) answeredOnce(ids ...string) {
	d.t.Helper()
	for _, id := range ids {
		d.sees("msg=reload done", "reload="+id)
		if done := d.all("msg=reload done", "reload="+id); len(done) != 1 {
			d.t.Errorf("reload %s is done %d times: %v", id, len(done), done)
		}
	}
}

func TestClientsAndAHangupInOneWarmUpAreEachAnsweredOnce(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", `warmup = "8s"`)+service("api", "serve"))
	d.up("web", 1)
	d.up("api", 1)
	first := d.command("reload", "web").begin()
	d.serving("web", 2)
	second := d.command("reload", "--json").begin()
	d.sees("msg=reload asked", "reload=2")
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload asked", "reload=3", "by=signal HUP")
	first.says(exitDone, "web: generation 2 serves", "reload 1: 1 promoted")
	second.says(exitDone, `"kind":"result"`)
	d.answeredOnce("1", "2", "3")
	d.sees("msg=generation promoted", "service=web", "generation=3")
	if s := d.status("web"); s.Generation != 3 || s.LastReload.Result != "promoted" {
		t.Errorf("web is %+v, want the two that came meanwhile to be one reload", s)
	}
	for id := range uint64(3) {
		if r := d.reloaded(id + 1); !r.Done || len(r.Services) == 0 || r.Services[0].Result != "promoted" {
			t.Errorf("reload %d is %+v", id+1, r)
		}
	}
}

func TestTermDuringAReloadIsReportedToItsClients(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	d.configure(quick + service("web", "serve", failing))
	one := d.command("reload").begin()
	d.serving("web", 2)
	merged := d.command("reload", "web", "--json").begin()
	d.sees("msg=reload asked", "reload=2")
	d.ends(syscall.SIGTERM, soon)
	one.says(exitLost, "web: aborted", "hupwatch is shutting down")
	merged.says(exitLost, `"result":"aborted"`, "hupwatch is shutting down")
	d.answeredOnce("1", "2")
}

func TestKillOfHupwatchInTheReloadOfAClientIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	d.configure(quick + service("web", "serve", failing))
	client := d.command("reload").begin()
	d.serving("web", 2)
	d.crash()
	client.says(exitLost, "what became of it is not known", "hupwatch status")
	d.command("status").begin().says(exitUnreachable, "hupwatch cannot be reached")
}

func TestRequestWhileHupwatchEndsIsRefused(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve; gate g; exit 0"))
	d.up("web", 1)
	d.signal(syscall.SIGTERM)
	d.says("got TERM", "web", 1)
	for _, args := range [][]string{{"reload"}, {"start", "web"}, {"stop", "web"}} {
		d.command(args...).begin().says(exitUnreachable, "hupwatch is shutting down")
	}
	if s := d.status("web"); s.State != "stopping" || len(s.Draining) != 1 {
		t.Errorf("web is %+v", s)
	}
	d.open("g")
	d.ended(exitDone)
}
