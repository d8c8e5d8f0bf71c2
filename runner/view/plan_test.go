package view

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
)

func TestThePlanSaysWhatChangesAndWhatToKnowBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(s *config.Service)
		why    string
		notes  []string
	}{
		{"nothing", func(*config.Service) {}, "nothing changed in the file", nil},
		{"instances", func(s *config.Service) { s.Instances = 3 }, "changed: instances 2 → 3", nil},
		{"publish", func(s *config.Service) { s.Umask, s.Publish = 0o77, "/run/b.sock" }, "changed: umask, publish none → /run/b.sock", nil},
		{
			"stop-first", func(s *config.Service) { s.Reload = config.ReloadStopFirst }, "changed: reload",
			[]string{`reload = "stop-first": it stops first, nothing serves until the new one does`},
		},
		{
			"signal", func(s *config.Service) { s.Reload, s.ReloadSignal = config.ReloadSignal, syscall.SIGUSR1 }, "changed: reload, reload_signal",
			[]string{`reload = "signal": it gets USR1, there is no new process`},
		},
		{"signal is not enough", func(s *config.Service) {
			s.Reload, s.ReloadSignal, s.Umask, s.Command = config.ReloadSignal, syscall.SIGHUP, 0o77, []string{"b"}
		}, "changed: command, umask, reload, reload_signal", []string{
			`reload = "signal": it gets HUP, there is no new process`,
			"not in force until it is started anew (hupwatch restart web): command, umask",
		}},
	} {
		g := active(1)
		g.Release.Service = &config.Service{Name: "web", Command: []string{"a"}, Instances: 2, Autostart: true}
		m := machine(lifecycle.Slot{}, lifecycle.Slot{Active: g})
		next := *g.Release.Service
		c.change(&next)
		p := planOf(m, &next)
		if p.Action != control.ActionReload || p.Why != c.why || !slices.Equal(p.Notes, c.notes) {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

func TestThePlanOfWhatDoesNotServeSaysWhyItStarts(t *testing.T) {
	t.Parallel()
	m := machine(lifecycle.Slot{})
	m.Awaits = []string{"redis"}
	next := &config.Service{Name: "web", Reload: config.ReloadStopFirst}
	if p := planOf(m, next); p.Action != control.ActionStart || !strings.Contains(p.Why, "waits for redis") || p.Notes != nil {
		t.Errorf("%+v", p)
	}
	m.WantedUp = false
	if p := planOf(m, next); p.Action != control.ActionSkip || p.Notes != nil {
		t.Errorf("%+v", p)
	}
}
