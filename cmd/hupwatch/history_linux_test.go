package main

import (
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"hupwatch/runner/control"
)

// endings are how a hupwatch can end before the next one begins.
var endings = map[string]func(d *daemon){
	"TERM": func(d *daemon) { d.ends(syscall.SIGTERM, soon) },
	"KILL": func(d *daemon) {
		for _, pid := range d.crash() {
			kill(d.t, pid)
		}
	},
}

// broken is a release that says why it is none.
const broken = "say no module named jnja2; say it is all over; exit 3"

func TestTheReasonOfAKeptOldReloadIsToldAndOutlivesHupwatch(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDaemon(t, quick+service("web", "serve"))
			d.up("web", 1)
			d.asks(exitDone, "reload")
			d.configure(quick + service("web", broken, failing))
			reload := d.command("reload", "web").begin()
			reload.says(exitOther, "web: kept old: exited with status 3", "no module named jnja2", "it is all over")
			d.asks(exitDone, "status").says(exitDone, "kept old", "exited with status 3")

			before, whole := d.status("web").LastReload, d.reloaded(2)
			if before.Result != "kept_old" || before.Reload != 2 || !strings.Contains(before.Error, "exited with status 3") {
				t.Errorf("the last reload is %+v", before)
			}
			if tail := strings.Join(before.Tail, "\n"); !strings.Contains(tail, "no module named jnja2") || !strings.Contains(tail, "it is all over") {
				t.Errorf("its last lines are %q", before.Tail)
			}
			if e := whole.Services[0].Exit; e == nil || e.Code != 3 {
				t.Errorf("it ended as %+v", e)
			}

			d.configure(quick + service("web", "serve"))
			end(d)
			next := d.again()
			next.up("web", 1)
			before.FailedGeneration = 0 // whose number means another one now
			next.asks(exitUnknown, "logs", "web", "--generation", "3").says(exitUnknown, "nothing is kept of generation 3 of web")
			if after := next.status("web").LastReload; !reflect.DeepEqual(after, before) {
				t.Errorf("the last reload was\n%+v\nand is now\n%+v", before, after)
			}
			next.knows(whole)
			next.remembers(1, 2)
			next.asks(exitDone, "reload")
			if e := next.sees("msg=reload done"); e["reload"] != "3" {
				t.Errorf("the next reload is %v", e)
			}
			next.knows(whole)
		})
	}
}

// knows fails the test unless hupwatch says the same of a reload as another one
// said: all but what serves now.
func (d *daemon) knows(before control.Reload) {
	d.t.Helper()
	after := d.reloaded(before.ID)
	for i := range after.Services {
		if i < len(before.Services) {
			s := &after.Services[i]
			s.Generation, s.PID = before.Services[i].Generation, before.Services[i].PID
		}
	}
	if !reflect.DeepEqual(after, before) {
		d.t.Errorf("reload %d was\n%+v\nand is now\n%+v", before.ID, before, after)
	}
}

// remembers fails the test unless the events of these reloads are there.
func (d *daemon) remembers(ids ...uint64) {
	d.t.Helper()
	events, err := d.client().Events(d.t.Context(), false)
	if err != nil {
		d.t.Fatal(err)
	}
	defer events.Close()
	seen := make(map[string][]uint64)
	for {
		e, err := events.Next()
		if err != nil {
			break
		}
		seen[e.Kind] = append(seen[e.Kind], e.Reloads...)
	}
	for _, id := range ids {
		for _, kind := range []string{"reload asked", "reload begun", "reload ended", "reload done"} {
			if !slices.Contains(seen[kind], id) {
				d.t.Errorf("there is no event %q of reload %d: %v", kind, id, seen)
			}
		}
	}
}

func TestAReloadThatHupwatchDidNotFinishIsAborted(t *testing.T) {
	t.Parallel()
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDaemon(t, quick+service("web", "serve"))
			d.up("web", 1)
			d.configure(quick + service("web", "serve", failing))
			d.signal(syscall.SIGHUP)
			d.serving("web", 2)
			if r := d.reloaded(1); r.Done || len(r.Services) != 1 || r.Services[0].Result != "" {
				t.Errorf("while it is under way it is %+v", r)
			}
			d.configure(quick + service("web", "serve"))
			end(d)
			next := d.again()
			next.up("web", 1)
			r := next.reloaded(1)
			if !r.Done || len(r.Services) != 1 || r.Services[0].Result != "aborted" || r.Services[0].Error == "" {
				t.Errorf("it is %+v, want it done and aborted with a reason", r)
			}
			if last := next.status("web").LastReload; last.Result != "aborted" || last.Reload != 1 {
				t.Errorf("the last reload is %+v", last)
			}
		})
	}
}

// A release that was refused is shown with its own last lines, not with those of one
// that was refused before.
func TestWhyTellsTheCauseOfTheReleaseThatIsNoGoodNow(t *testing.T) {
	t.Parallel()
	bad := func(cause string) string { return quick + service("web", "say "+cause+"; exit 3", failing) }
	why := func(d *daemon, cause string, not ...string) {
		t.Helper()
		c := d.command("why", "web").begin()
		c.says(exitUnknown, cause)
		for _, word := range not {
			if strings.Contains(c.stdout.String(), word) {
				t.Errorf("%q is in what why says of %q:\n%s", word, cause, c.stdout.String())
			}
		}
	}
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	d.configure(bad("no database"))
	d.asks(exitOther, "reload", "web")
	why(d, "no database")

	d.configure(bad("no template"))
	d.ends(syscall.SIGTERM, soon)
	next := d.again()
	next.sees("msg=started from the last good release", "service=web")
	next.promoted("web", 2)
	why(next, "no template", "no database", "--generation")
	next.configure(bad("no licence"))
	next.asks(exitOther, "reload", "web")
	why(next, "no licence", "no template", "no database")

	next.ends(syscall.SIGTERM, soon)
	last := next.again()
	last.promoted("web", 1)
	why(last, "no licence", "no template", "no database")
}
