package main

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"hupwatch/runner/control"
)

// plan returns what is said of each service.
func (d *daemon) plan() map[string]control.PlanService {
	d.t.Helper()
	p, err := d.client().Plan(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	said := make(map[string]control.PlanService)
	for _, s := range p.Services {
		said[s.Name] = s
	}
	return said
}

func TestAHangupDoesWhatThePlanSaid(t *testing.T) {
	t.Parallel()
	gone := `restart_delay = "1h"` + "\n" + `restart_max_delay = "1h"`
	kept := func(keys string) string {
		return service("same", "serve") + service("changed", "serve", keys) + service("down", "serve")
	}
	d := startDaemon(t, quick+kept("")+service("broken", "serve")+service("removed", "serve")+service("crashing", "exit 1", failing, gone))
	for _, name := range []string{"same", "changed", "down", "broken", "removed"} {
		d.up(name, 1)
	}
	d.asks(exitDone, "stop", "down")
	d.sees("msg=restart", "service=crashing", "in=1h0m0s")
	d.configure(quick + kept(`warmup = "60ms"`) + service("broken", "serve", `user = "nobody-at-all"`) +
		service("new", "serve") + service("crashing", "serve"))

	before := make(map[string]int)
	for _, name := range []string{"same", "changed", "broken", "removed", "crashing"} {
		before[name] = d.status(name).PID
	}
	d.asks(exitOther, "plan") // one is broken
	said := d.plan()
	for name, pid := range before {
		if got := d.status(name).PID; got != pid {
			t.Errorf("the plan changed %s: process %d, was %d", name, got, pid)
		}
	}
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "by=signal HUP")
	d.sees("msg=service stopped", "service=removed")

	results := make(map[string]string)
	for _, s := range d.reloaded(2).Services { // the first was to stop one
		results[s.Name] = s.Result
	}
	for _, c := range []struct {
		name, action, why, result string
		changed                   []string
	}{
		{"same", "reload", "nothing changed", "promoted", nil},
		{"changed", "reload", "changed: warmup", "promoted", []string{"warmup"}},
		{"down", "skip", "stopped by hand", "skipped", nil},
		{"broken", "reload", "changed: user", "kept_old", []string{"user"}},
		{"new", "start", "new in the file", "started", nil},
		{"removed", "stop", "removed from the file", "stopped", nil},
		{"crashing", "start", "backoff", "started", []string{"command", "warmup", "restart_delay", "restart_max_delay"}},
	} {
		p, ok := said[c.name]
		if !ok || p.Action != c.action || !strings.Contains(p.Why, c.why) {
			t.Errorf("%s: the plan is %+v, want %s since %q", c.name, p, c.action, c.why)
		}
		slices.Sort(c.changed)
		if got := slices.Sorted(slices.Values(p.Changed)); !slices.Equal(got, c.changed) {
			t.Errorf("%s: %q are said to be changed, want %q", c.name, got, c.changed)
		}
		if broken := c.result == "kept_old"; broken != (p.Error != "") {
			t.Errorf("%s: the plan says the error %q", c.name, p.Error)
		}
		if got := results[c.name]; got != c.result {
			t.Errorf("%s: it became %s, want %s", c.name, got, c.result)
		}
	}
	for name, pid := range before {
		after := 0
		if name != "removed" {
			after = d.status(name).PID
		}
		if same := after == pid; same != (name == "broken") {
			t.Errorf("%s: process %d serves, before it was %d", name, after, pid)
		}
	}
	if _, known := d.plan()["removed"]; known {
		t.Errorf("the plan still has what was removed")
	}
}

func TestThePlanOfABadFileIsItsProblemsAndAHangupDoesNothing(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	pid := d.up("web", 1)
	d.configure(quick + service("web", "serve", "stop_signal = \"TREM\"", "cmd = 1"))
	d.asks(exitUsage, "plan").says(exitUsage, "TREM", "did you mean command")
	d.asks(exitUsage, "reload").says(exitUsage, "TREM", "did you mean command")
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload refused", "by=signal HUP")
	if s := d.status("web"); s.PID != pid || s.Generation != 1 {
		t.Errorf("web is %+v", s)
	}
	d.asks(exitDone, "status").says(exitDone, "The configuration was refused", "TREM")
}
