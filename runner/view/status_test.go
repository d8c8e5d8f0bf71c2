package view

import (
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// noon is when these tests look, and now what the clock of the machine says then.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const now = lifecycle.Instant(time.Hour)

func in(d time.Duration) lifecycle.Instant { return now.Add(d) }

// machine is one of a service that is wanted up and has these slots.
func machine(slots ...lifecycle.Slot) *lifecycle.Machine {
	m := lifecycle.NewMachine(&config.Service{Name: "web", Autostart: true, Instances: len(slots)}, lifecycle.Record{})
	for i := range slots {
		slots[i].Instance = i
		if slots[i].NextStart == 0 {
			slots[i].NextStart = lifecycle.Never
		}
	}
	m.Slots = slots
	return m
}

func active(number int) *lifecycle.Generation {
	return &lifecycle.Generation{
		Number: number, PID: 100 * number, Phase: lifecycle.PhaseActive, ActiveAt: in(-time.Minute),
		Release: &release.Release{Service: &config.Service{}, Dir: "/srv/7"},
	}
}

func look(m *lifecycle.Machine) control.Service { return serviceOf(m, clock{wall: noon, now: now}) }

func TestAStatusTellsWhichServicesOneWaitsFor(t *testing.T) {
	t.Parallel()
	m := machine(lifecycle.Slot{Backoff: lifecycle.Backoff{NextStart: now}})
	m.Awaits = []string{"db", "redis"}
	s := look(m)
	if s.State != "waiting" || len(s.Awaits) != 2 || s.Awaits[1] != "redis" || !s.NextStartAt.IsZero() {
		t.Errorf("%+v", s)
	}
	m.Slots[0].Active = active(1) // what is up stays so
	if s := look(m); s.State != "running" || s.Awaits != nil {
		t.Errorf("%+v", s)
	}
}

func TestAStatusTellsHowFarTheIncomingOneIs(t *testing.T) {
	t.Parallel()
	old := active(1)
	old.Hook = &lifecycle.Hook{Kind: config.HookBeforeStop, Deadline: in(7 * time.Second)}
	draining := active(1)
	draining.Phase, draining.KillAt = lifecycle.PhaseDraining, in(9*time.Second)
	ready := func(r config.Ready) *release.Release {
		return &release.Release{Service: &config.Service{Ready: &r}}
	}
	for _, c := range []struct {
		name          string
		change        func(g *lifecycle.Generation)
		left          time.Duration // 0 for no end
		why, saysThat string
	}{
		{"resolving", func(g *lifecycle.Generation) { g.Phase = lifecycle.PhaseResolving }, 42 * time.Second, "", ""},
		{"before_start runs", func(g *lifecycle.Generation) {
			g.Phase, g.Deadline = lifecycle.PhasePreparing, lifecycle.Never
			g.Hook = &lifecycle.Hook{Kind: config.HookBeforeStart, Deadline: in(time.Second)}
		}, time.Second, "", ""},
		{"waiting for the old one to be gone", func(g *lifecycle.Generation) { g.Phase, g.Deadline = lifecycle.PhaseWaiting, lifecycle.Never }, 9 * time.Second, "", ""},
		{"a probe fails", func(g *lifecycle.Generation) { g.Proof.Failure = "connection refused" }, 42 * time.Second, "connection refused", ""},
		{"no probe yet", func(g *lifecycle.Generation) { g.Release = ready(config.Ready{Kind: config.ReadyTCP}) }, 42 * time.Second, "", ""},
		{"it says nothing", func(g *lifecycle.Generation) { g.Release = ready(config.Ready{Kind: config.ReadyNotify}) }, 42 * time.Second, "it has not said READY=1", ""},
		{"it says what it does", func(g *lifecycle.Generation) {
			g.Release, g.Proof.Status = ready(config.Ready{Kind: config.ReadyNotify}), "loading 3/7"
		}, 42 * time.Second, "it has not said READY=1", "loading 3/7"},
		{"it writes nothing", func(g *lifecycle.Generation) { g.Release = ready(config.Ready{Kind: config.ReadyFD, FD: 5}) }, 42 * time.Second, "it has not written a line to descriptor 5", ""},
		{"it does not listen", func(g *lifecycle.Generation) {
			g.Proof.Way, g.Proof.Missing = lifecycle.WayListening, []string{"tcp :80"}
		}, 42 * time.Second, "it does not listen on tcp :80, as the active one does", ""},
		{"it does not wait", func(g *lifecycle.Generation) {
			g.Proof.Way, g.Proof.Missing = lifecycle.WayWaiting, []string{"tcp://:80"}
		}, 42 * time.Second, "it does not wait for connections on tcp://:80", ""},
		{"warm-up", func(g *lifecycle.Generation) { g.Phase, g.Proof.Failure = lifecycle.PhaseWarming, "of before" }, 42 * time.Second, "", ""},
		{"the last look", func(g *lifecycle.Generation) { g.Phase, g.Proof.Asked = lifecycle.PhaseWarming, true }, 0, "", ""},
		{"before_stop runs", func(g *lifecycle.Generation) { g.Phase, g.Deadline = lifecycle.PhaseHandover, lifecycle.Never }, 7 * time.Second, "", ""},
	} {
		g := active(2)
		g.Phase, g.Deadline = lifecycle.PhaseProving, in(42*time.Second)
		c.change(g)
		s := look(machine(lifecycle.Slot{Active: old, Incoming: g, Draining: []*lifecycle.Generation{draining}}))
		i := s.Incoming[0]
		left := time.Duration(0)
		if !i.Until.IsZero() {
			left = i.Until.Sub(noon)
		}
		if left != c.left || i.Why != c.why || i.Status != c.saysThat || i.Phase != string(g.Phase) {
			t.Errorf("%s: %+v", c.name, i)
		}
	}
}

func TestAStatusTellsOfTheHookBeforeTheStopSignal(t *testing.T) {
	t.Parallel()
	g := active(1)
	g.Phase, g.KillAt, g.Hook = lifecycle.PhaseDraining, lifecycle.Never, &lifecycle.Hook{Kind: config.HookBeforeStop, Deadline: in(time.Second)}
	if s := look(machine(lifecycle.Slot{Draining: []*lifecycle.Generation{g}})); s.Draining[0].Hook != "before_stop" {
		t.Errorf("%+v", s.Draining)
	}
}

func TestInstancesThatDoNotServeAreToldApartFromThoseThatDo(t *testing.T) {
	t.Parallel()
	killed := lifecycle.Slot{LastEnd: lifecycle.Exit{Signal: syscall.SIGSEGV}, LastEndAt: in(-time.Second), Backoff: lifecycle.Backoff{NextStart: in(4 * time.Second)}}
	coming := lifecycle.Slot{Incoming: active(5)}
	m := machine(lifecycle.Slot{Active: active(3)}, killed, coming, lifecycle.Slot{Resting: lifecycle.StateFailed}, lifecycle.Slot{})
	s := look(m)
	if s.State != "failed" || s.Generation != 3 || len(s.Instances) != 1 || s.Instances[0].Release != "/srv/7" || !s.Instances[0].Since.Equal(noon.Add(-time.Minute)) {
		t.Errorf("%+v", s)
	}
	if len(s.Lacking) != 3 {
		t.Fatalf("%+v", s.Lacking)
	}
	b := s.Lacking[0]
	if b.Instance != 1 || b.State != "backoff" || b.LastExit.Signal != "SEGV" || !b.NextStartAt.Equal(noon.Add(4*time.Second)) {
		t.Errorf("%+v", b)
	}
	if s.Lacking[1].State != "starting" || s.Lacking[2].State != "failed" || s.Lacking[2].Instance != 3 {
		t.Errorf("%+v", s.Lacking)
	}
	m.WantedUp = false
	if s := look(m); s.Lacking != nil {
		t.Errorf("of what is to be down: %+v", s.Lacking)
	}
}

func TestAnEventHasAFieldForEachThingItTells(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event lifecycle.Event
		want  string
	}{
		{lifecycle.Event{Kind: lifecycle.KindAwaits, Names: []string{"redis", "db"}}, `{"at":"","kind":"waiting for others","services":["redis","db"]}`},
		{lifecycle.Event{Kind: lifecycle.KindHookBegun, Hook: config.HookBeforeStart}, `{"at":"","kind":"hook begun","hook":"before_start"}`},
		{lifecycle.Event{Kind: lifecycle.KindHookFailed, Hook: config.HookBeforeStop, Reason: "exited with status 1"}, `{"at":"","kind":"hook failed","error":"exited with status 1","hook":"before_stop"}`},
		{lifecycle.Event{Kind: lifecycle.KindPutBack, Path: "/run/a, b", Reason: "why"}, `{"at":"","kind":"socket put back","error":"why","path":"/run/a, b"}`},
		{lifecycle.Event{Kind: lifecycle.KindRequest, Verb: "stop", Names: []string{"db"}}, `{"at":"","kind":"reload asked","verb":"stop","services":["db"]}`},
		{lifecycle.Event{Kind: lifecycle.KindStarted, Role: lifecycle.RoleIncoming}, `{"at":"","kind":"generation started","role":"incoming"}`},
	} {
		text, err := json.Marshal(eventOf(&c.event))
		if err != nil || string(text) != c.want {
			t.Errorf("%s, %v; want %s", text, err, c.want)
		}
	}
}
