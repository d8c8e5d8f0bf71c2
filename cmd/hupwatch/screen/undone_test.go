package screen_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

const died = "it ended within its probation: exited with status 9 after 1.2s"

// undone is a reload of which the new release dies while the old one drains.
func undone() []control.Event {
	ended := &control.Exit{Code: 9}
	tail := []string{"MemoryError"}
	return []control.Event{
		{Kind: "reload begun", Service: "web"},
		{Kind: "generation started", Service: "web", Generation: 8, PID: 80, WaitSeconds: 1},
		{Kind: "generation promoted", Service: "web", Generation: 8, PID: 80, Seconds: 1},
		{Kind: "stop signal sent", Service: "web", Generation: 7, Role: "old", PID: 70, Signal: "TERM", WaitSeconds: 30},
		{Kind: "reload ended", Service: "web", Generation: 8, Serving: 8, Result: "promoted", Seconds: 1, WaitSeconds: 10},
		{Kind: "generation ended", Service: "web", Generation: 8, PID: 80, Seconds: 1.2, Exit: ended},
		{Kind: "rolled back", Service: "web", Generation: 8, PID: 80, Error: died, ServingRelease: "/srv/web/7", Exit: ended, Tail: tail},
		{Kind: "generation started", Service: "web", Generation: 9, PID: 90},
		{Kind: "generation promoted", Service: "web", Generation: 9, PID: 90, Seconds: 0.2},
		{Kind: "generation exited", Service: "web", Generation: 7, PID: 70, Seconds: 4, Exit: &control.Exit{}},
		result(control.ServiceReload{
			Name: "web", Generation: 9, State: "running", Wanted: "up", Exit: ended,
			Outcome: control.Outcome{Result: "rolled_back", Error: died, Tail: tail, FailedGeneration: 8},
		}),
	}
}

func TestAReleaseThatIsTakenBackIsNeverSaidToServe(t *testing.T) {
	p, piped := pair([]string{"web"})
	told(t, "undone", p, piped, undone())
}

func TestTheEndOfProbationIsWaitedForInSight(t *testing.T) {
	p, piped := pair([]string{"web"})
	p.ThroughProbation()
	piped.ThroughProbation()
	events := append(undone()[:5],
		control.Event{Kind: "generation exited", Service: "web", Generation: 7, PID: 70, Seconds: 4, Exit: &control.Exit{}},
		control.Event{Kind: "probation over", Service: "web"},
		result(control.ServiceReload{Name: "web", Generation: 8, State: "running", Wanted: "up", Outcome: control.Outcome{Result: "promoted", ReadySeconds: 1, DrainSeconds: 4}}),
	)
	told(t, "probation", p, piped, events)
}

// noonRefused is a host that was started again after a deploy that was refused.
func noonRefused() control.Status {
	return control.Status{Services: []control.Service{
		{
			Name: "web", State: "running", Wanted: "up", Generation: 1, PID: 40, Release: "/srv/web/7", Since: before(time.Hour),
			Releases: []control.Release{{Release: "/srv/web/7", Good: true}, {Release: "/srv/web/6"}},
			Refused:  control.Refused{Release: "/srv/web/8", Error: "http 127.0.0.1:8000/healthz: 500 Internal Server Error: no database"},
			Instead:  "http 127.0.0.1:8000/healthz: 500 Internal Server Error: no database",
		},
		{
			Name: "api", State: "running", Wanted: "up", Generation: 3, PID: 50, Release: "/srv/api/2", Since: before(2 * time.Hour),
			ProbationUntil: in(7 * time.Second), Unseen: "/proc/50/task: permission denied",
		},
	}}
}

func TestAStatusTellsOfWhatWasStartedInstead(t *testing.T) {
	golden(t, "instead-80", screen.Status(noonRefused(), noon, screen.Style{Width: 80}))
	golden(t, "instead-named", screen.StatusInFull(noonRefused(), noon, screen.Style{Width: 80, Colour: true}))
	if first := screen.RestlessFirst(noonRefused()).Services[0].Name; first != "web" {
		t.Errorf("%s stands first", first)
	}
}

func TestWhyTellsWhatIsWrongAndWhatToDo(t *testing.T) {
	st := night()
	st.Services[0].LastReload.FailedGeneration = 4
	st.Services[0].LastReload.Release = "/srv/api/releases/20260301-0312"
	st.Services[2].LastTail = []string{"panic: no memory"}
	st.Services = append(st.Services, append(noonRefused().Services, dawn().Services[:2]...)...)
	st.Services = append(st.Services, dawn().Services[4])
	lines, wrong := screen.Why(st, false, noon, screen.Style{Width: 80})
	golden(t, "why-80", lines)
	if wrong != 9 {
		t.Errorf("%d are wrong", wrong)
	}
	st.ConfigError, st.Services = "", []control.Service{night().Services[1], night().Services[4], noonRefused().Services[1]}
	lines, wrong = screen.Why(st, true, noon, screen.Style{})
	golden(t, "why-nothing", lines)
	if wrong != 0 {
		t.Errorf("%d are wrong", wrong)
	}
	if lines, _ = screen.Why(st, false, noon, screen.Style{}); len(lines) != 1 || lines[0] != "nothing is wrong: 3 services" {
		t.Errorf("%q", lines)
	}
}

func TestWhyShowsHowAServiceEndedBesideWhyItsReloadFailed(t *testing.T) {
	st := night()
	st.Services = st.Services[:1]
	api := &st.Services[0]
	api.State, api.Generation, api.LastTail = "backoff", 0, []string{"panic: no memory"}
	if lines, _ := screen.Why(st, false, noon, screen.Style{}); !slices.Contains(lines, "  | panic: no memory") {
		t.Errorf("%q", lines)
	}
	api.LastTail = api.LastReload.Tail
	lines, _ := screen.Why(st, false, noon, screen.Style{})
	if n := strings.Count(strings.Join(lines, "\n"), "No module named 'jnja2'"); n != 1 {
		t.Errorf("the same is shown %d times: %q", n, lines)
	}
}
