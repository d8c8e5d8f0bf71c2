package screen_test

import (
	"fmt"
	"testing"
	"time"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// dawn is a host on which much is on its way.
func dawn() control.Status {
	instance := func(n, generation int, release string) control.Instance {
		return control.Instance{Instance: n, Generation: generation, PID: 100 + n, Release: release, Since: before(time.Duration(n+1) * time.Hour)}
	}
	proving := func(name, why, says string) control.Service {
		return control.Service{Name: name, State: "starting", Wanted: "up", Incoming: []control.Incoming{
			{Generation: 1, PID: 9, Phase: "proving", Since: before(18 * time.Second), Until: in(42 * time.Second), Why: why, Status: says},
		}}
	}
	coming := func(name, phase string, until time.Duration) control.Service {
		return control.Service{Name: name, State: "running", Wanted: "up", Generation: 4, PID: 40, Incoming: []control.Incoming{
			{Generation: 5, PID: 50, Phase: phase, Since: before(time.Second), Until: in(until)},
		}}
	}
	stopping := coming("first", "waiting", 9*time.Second)
	stopping.State, stopping.Generation, stopping.PID, stopping.Incoming[0].PID = "starting", 0, 0, 0
	stopping.Draining = []control.Draining{{Generation: 4, PID: 40, Since: before(time.Second), KillAt: in(9 * time.Second)}}
	return control.Status{Services: []control.Service{
		{Name: "app", State: "waiting", Wanted: "up", Awaits: []string{"redis", "db"}},
		proving("redis", "tcp 127.0.0.1:6379: connection refused", ""),
		proving("db", "no READY=1 so far", "recovering 3/7"),
		{
			Name: "three", State: "running", Wanted: "up", Generation: 4, PID: 100, Release: "/srv/three/7", Since: before(time.Hour),
			Instances: []control.Instance{instance(0, 4, "/srv/three/7"), instance(1, 5, "/srv/three/7"), instance(2, 6, "/srv/three/7")},
		},
		{
			Name: "torn", State: "backoff", Wanted: "up", Generation: 8, PID: 100, Release: "/srv/torn/8", Since: before(time.Hour), Restarts: 3,
			Instances:  []control.Instance{instance(0, 8, "/srv/torn/8"), instance(1, 5, "/srv/torn/7")},
			Lacking:    []control.Lacking{{Instance: 2, State: "backoff", LastExit: control.Exit{Code: 1, At: before(3 * time.Second)}, NextStartAt: in(4 * time.Second)}},
			LastReload: control.Outcome{Result: "partial", Error: "exited with status 1, 20ms after it started", Tail: []string{"no room"}, EndedAt: before(time.Minute)},
		},
		coming("prepared", "preparing", 55*time.Second),
		stopping,
		coming("both", "overlapping", time.Second),
		coming("handed", "handover", 20*time.Second),
		{Name: "hooked", State: "stopping", Wanted: "down", Draining: []control.Draining{{Generation: 2, PID: 20, Hook: "before_stop", Since: before(2 * time.Second)}}},
		{
			Name: "signalled", State: "running", Wanted: "up", Generation: 1, PID: 70,
			LastReload: control.Outcome{Result: "signalled", Error: "not in force until it is started anew: command", EndedAt: before(time.Minute)},
		},
	}}
}

func TestAStatusTellsWhatIsOnItsWay(t *testing.T) {
	golden(t, "dawn-80", screen.Status(dawn(), noon, screen.Style{Width: 80}))
	st := dawn()
	st.Services = st.Services[3:5]
	st.Services[1].LastReload.Instance = 2
	golden(t, "dawn-named", screen.StatusInFull(st, noon, screen.Style{Width: 80}))
}

// told are all views of a request while its events come in.
func told(t *testing.T, name string, p, piped *screen.Progress, events []control.Event) {
	t.Helper()
	style := screen.Style{Width: 100}
	var lines, plain []string
	now := noon
	for i, e := range events {
		now = noon.Add(time.Duration(i) * time.Second)
		e.At, e.Reloads = control.Time{Time: now}, []uint64{7}
		p.Add(e)
		lines = append(lines, fmt.Sprintf("--- %s %s", e.Kind, e.Phase))
		lines = append(lines, p.Lines(now, style, 23)...)
		plain = append(plain, piped.Step(e)...)
		piped.Add(e)
	}
	lines = append(lines, "=== what stays")
	lines = append(lines, p.Last(now, style, 23)...)
	lines = append(lines, "=== piped")
	lines = append(lines, plain...)
	golden(t, name, append(lines, piped.Summary(now)))
}

// pair are a progress that is drawn and one that is piped, which know the same.
func pair(names []string, known ...control.Service) (drawn, piped *screen.Progress) {
	drawn, piped = screen.NewProgress("reload", names, noon), screen.NewProgress("reload", names, noon)
	drawn.Know(control.Status{Services: known})
	piped.Know(control.Status{Services: known})
	return drawn, piped
}

func result(s control.ServiceReload) control.Event {
	return control.Event{Kind: "result", Reload: &control.Reload{ID: 7, What: "reload", Done: true, Services: []control.ServiceReload{s}}}
}

func TestAReloadShowsEveryStepOfAPublishedService(t *testing.T) {
	web := func(kind string, e control.Event) control.Event {
		e.Kind, e.Service = kind, "web"
		if e.Generation == 0 {
			e.Generation = 5
		}
		return e
	}
	p, piped := pair([]string{"web"})
	told(t, "steps", p, piped, []control.Event{
		{Kind: "reload asked"},
		{Kind: "reload begun", Service: "web"},
		web("hook begun", control.Event{Hook: "before_start"}),
		web("incoming", control.Event{Phase: "preparing", WaitSeconds: 58}),
		web("generation started", control.Event{PID: 50, WaitSeconds: 2}),
		web("incoming", control.Event{PID: 50, Phase: "proving", WaitSeconds: 42, Error: "unix /run/web.sock.d/5: no such file or directory"}),
		web("incoming", control.Event{PID: 50, Phase: "proving", WaitSeconds: 41, Error: "no READY=1 so far", Status: "loading 3/7"}),
		web("generation ready", control.Event{PID: 50, Seconds: 3.2, WaitSeconds: 2}),
		{Kind: "advice", Service: "web"},
		web("generation published", control.Event{PID: 50}),
		web("hook begun", control.Event{Generation: 4, Hook: "before_stop"}),
		web("hook failed", control.Event{Generation: 4, Hook: "before_stop", Error: "exited with status 1", Tail: []string{"lb: no such host"}}),
		web("generation promoted", control.Event{PID: 50, Seconds: 9}),
		web("stop signal sent", control.Event{Generation: 4, Role: "old", PID: 40, Signal: "TERM", WaitSeconds: 30}),
		web("reload ended", control.Event{Result: "promoted", Seconds: 9, Serving: 5}),
		web("generation exited", control.Event{Generation: 4, PID: 40, Seconds: 1, Exit: &control.Exit{}}),
		result(control.ServiceReload{Name: "web", Outcome: control.Outcome{Result: "promoted", ReadySeconds: 3.2, DrainSeconds: 1}, Generation: 5, State: "running", Wanted: "up"}),
	})
}

func TestAReloadThatStopsFirstAndGoesBackIsToldAsOneStory(t *testing.T) {
	const reason = "not ready within start_timeout (1s): tcp 127.0.0.1:80: connection refused"
	tail := []string{"cannot bind"}
	p, piped := pair([]string{"web"})
	told(t, "going-back", p, piped, []control.Event{
		{Kind: "reload begun", Service: "web"},
		{Kind: "hook begun", Service: "web", Generation: 4, Hook: "before_stop"},
		{Kind: "stop signal sent", Service: "web", Generation: 4, Role: "old", Signal: "TERM", WaitSeconds: 30},
		{Kind: "incoming", Service: "web", Generation: 5, Phase: "waiting", WaitSeconds: 29},
		{Kind: "generation exited", Service: "web", Generation: 4, Seconds: 1, Exit: &control.Exit{}},
		{Kind: "generation started", Service: "web", Generation: 5, PID: 50},
		{Kind: "stop signal sent", Service: "web", Generation: 5, Role: "incoming", Signal: "TERM", WaitSeconds: 5},
		{Kind: "rolled back", Service: "web", Generation: 5, Error: reason, Tail: tail},
		{Kind: "reload ended", Service: "web", Generation: 6, Serving: 6, Result: "rolled_back", Error: reason, Tail: []string{"what the good one wrote"}},
		result(control.ServiceReload{Name: "web", Outcome: control.Outcome{Result: "rolled_back", Error: reason, Tail: tail}, Generation: 6, State: "running", Wanted: "up"}),
	})
}

func TestAReloadOfInstancesCountsThem(t *testing.T) {
	known := control.Service{Name: "web", State: "running", Instances: []control.Instance{{}, {Instance: 1}, {Instance: 2}}}
	step := func(kind string, instance, generation int, e control.Event) control.Event {
		e.Kind, e.Service, e.Instance, e.Generation = kind, "web", instance, generation
		return e
	}
	p, piped := pair(nil, known)
	const reason = "exited with status 1, 20ms after it started, before its warm-up of 1s was over"
	told(t, "instances", p, piped, []control.Event{
		{Kind: "reload begun", Service: "web"},
		step("generation started", 0, 4, control.Event{PID: 4, WaitSeconds: 1}),
		step("generation promoted", 0, 4, control.Event{PID: 4, Seconds: 1}),
		step("stop signal sent", 0, 1, control.Event{PID: 1, Role: "old", Signal: "TERM", WaitSeconds: 30}),
		step("generation started", 1, 5, control.Event{PID: 5, WaitSeconds: 1}),
		step("reload ended", 1, 5, control.Event{PID: 5, Result: "partial", Error: reason, Serving: 2, Tail: []string{"no room"}}),
		step("generation exited", 0, 1, control.Event{PID: 1, Seconds: 2, Exit: &control.Exit{}}),
		result(control.ServiceReload{Name: "web", Outcome: control.Outcome{Result: "partial", Error: reason, Instance: 1, Tail: []string{"no room"}}, Generation: 4, State: "running", Wanted: "up"}),
	})
}

func TestAReloadOfWhatWaitsSaysForWhatAndHowLong(t *testing.T) {
	known := control.Service{Name: "app", State: "waiting", Awaits: []string{"redis", "db"}}
	p, piped := pair([]string{"app"}, known)
	told(t, "waiting", p, piped, []control.Event{
		{Kind: "reload asked", Services: []string{"app"}},
		{Kind: "waiting for others", Service: "app", Services: []string{"redis", "db"}},
		{Kind: "waiting for others", Service: "app", Services: []string{"db"}},
		{Kind: "reload begun", Service: "app"},
		{Kind: "generation started", Service: "app", Generation: 1, PID: 10},
		{Kind: "generation promoted", Service: "app", Generation: 1, PID: 10, Seconds: 0.1},
		{Kind: "reload ended", Service: "app", Generation: 1, Serving: 1, Result: "started", Seconds: 0.1},
	})
}

func TestAReloadBySignalSaysWhatIsNotInForce(t *testing.T) {
	p, piped := pair([]string{"web"})
	told(t, "signalled", p, piped, []control.Event{
		{Kind: "reload begun", Service: "web"},
		{Kind: "signal sent", Service: "web", Generation: 4, Signal: "HUP"},
		{Kind: "reload ended", Service: "web", Generation: 4, Serving: 4, Result: "signalled", Error: "not in force until it is started anew: command", Seconds: 1},
	})
}

func TestAPlanSaysWhatToKnowBefore(t *testing.T) {
	golden(t, "plan-80", screen.Plan(control.Plan{Services: []control.PlanService{
		{Name: "web", Action: "reload", Why: "changed: command, instances 2 → 3, publish none → /run/web.sock", Changed: []string{"command", "instances", "publish"}},
		{Name: "first", Action: "reload", Why: "another release: /srv/first/output/8, now /srv/first/output/7", Changed: []string{"output"}, Notes: []string{`reload = "stop-first": it stops first, nothing serves until the new one does`}},
		{Name: "signalled", Action: "reload", Why: "changed: command", Changed: []string{"command"}, Notes: []string{`reload = "signal": it gets HUP, there is no new process`, "not in force until it is started anew (hupwatch restart signalled): command"}},
		{Name: "bad", Action: "reload", Why: "changed: user", Changed: []string{"user"}, Error: "user: there is no user \"nobody-at-all\""},
	}}, screen.Style{Width: 80}))
}
