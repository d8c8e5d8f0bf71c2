package screen_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// at is an event so long after noon.
func at(after time.Duration, e control.Event) control.Event {
	e.At, e.Reloads = in(after), []uint64{7}
	return e
}

// deployment is a reload of three services: one is promoted, one is no good, one
// waits for its turn and for an old generation.
func deployment() []control.Event {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	seven := 7
	tail := []string{"Traceback (most recent call last):", "ModuleNotFoundError: No module named 'jnja2'"}
	return []control.Event{
		at(0, control.Event{Kind: "reload asked", By: "uid 0"}),
		at(ms(10), control.Event{Kind: "reload begun", Service: "api"}),
		at(ms(10), control.Event{Kind: "reload begun", Service: "web"}),
		at(ms(20), control.Event{Kind: "reload waits", Service: "worker", Error: "every drain slot is taken"}),
		at(ms(30), control.Event{Kind: "generation started", Service: "api", Generation: 4, PID: 100, WaitSeconds: 2}),
		at(ms(40), control.Event{Kind: "generation started", Service: "web", Generation: 13, PID: 101, WaitSeconds: 2}),
		at(ms(600), control.Event{Kind: "reload ended", Service: "api", Generation: 4, Serving: 3, Result: "kept_old", Error: "exited with status 1, 570ms after it started, before its warm-up of 2s was over", Tail: tail, Exit: &control.Exit{Code: 1}}),
		at(ms(2040), control.Event{Kind: "generation promoted", Service: "web", Generation: 13, PID: 101, Seconds: 2.04}),
		at(ms(2050), control.Event{Kind: "stop signal sent", Service: "web", Generation: 12, Role: "old", PID: 90, Signal: "TERM", WaitSeconds: 30}),
		at(ms(2060), control.Event{Kind: "reload ended", Service: "web", Generation: 13, Result: "promoted", Seconds: 2.05}),
		at(ms(3000), control.Event{Kind: "draining", Service: "web", Generation: 12, PID: 90, Connections: &seven}),
		at(ms(6000), control.Event{Kind: "generation exited", Service: "web", Generation: 12, PID: 90, Seconds: 3.95, Exit: &control.Exit{}}),
		at(ms(6000), control.Event{Kind: "reload begun", Service: "worker"}),
		at(ms(6100), control.Event{Kind: "generation started", Service: "worker", Generation: 2, PID: 102}),
		at(ms(6200), control.Event{Kind: "generation promoted", Service: "worker", Generation: 2, PID: 102, Seconds: 0.2}),
		at(ms(6250), control.Event{Kind: "reload ended", Service: "worker", Generation: 2, Result: "promoted", Seconds: 0.25}),
		at(ms(6300), control.Event{Kind: "result", Reload: &control.Reload{ID: 7, What: "reload", Done: true, Services: []control.ServiceReload{
			{Name: "api", Outcome: control.Outcome{Result: "kept_old", Error: "exited with status 1, 570ms after it started, before its warm-up of 2s was over", Tail: tail}, Generation: 3, State: "running", Wanted: "up"},
			{Name: "web", Outcome: control.Outcome{Result: "promoted", ReadySeconds: 2.05, DrainSeconds: 3.95}, Generation: 13, State: "running", Wanted: "up"},
			{Name: "worker", Outcome: control.Outcome{Result: "promoted", ReadySeconds: 0.25}, Generation: 2, State: "running", Wanted: "up"},
		}}}),
	}
}

func TestAReloadMovesInPlace(t *testing.T) {
	p := screen.NewProgress("reload", []string{"api", "web", "worker"}, noon)
	style := screen.Style{Width: 80}
	lines := append([]string{"--- asked"}, p.Lines(noon, style, 23)...)
	for _, e := range deployment() {
		p.Add(e)
		lines = append(lines, fmt.Sprintf("--- %s %s", e.Kind, e.Service))
		lines = append(lines, p.Lines(e.At.Time, style, 23)...)
	}
	lines = append(lines, "=== what stays")
	golden(t, "reload-80", append(lines, p.Last(noon.Add(6300*time.Millisecond), style, 23)...))
	golden(t, "reload-colour", p.Last(noon.Add(6300*time.Millisecond), screen.Style{Width: 60, Colour: true}, 23))
}

func TestAReloadThatIsPipedIsALineAStep(t *testing.T) {
	p := screen.NewProgress("reload", nil, noon)
	var lines []string
	for _, e := range deployment() {
		lines = append(lines, p.Step(e)...)
		p.Add(e)
	}
	golden(t, "reload-piped", append(lines, p.Summary(noon.Add(6300*time.Millisecond))))
}

func TestManyServicesNeverTakeMoreThanTheTerminal(t *testing.T) {
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("service-%03d", i))
	}
	p := screen.NewProgress("reload", names, noon)
	for i, name := range names[:40] {
		p.Add(at(0, control.Event{Kind: "reload begun", Service: name}))
		switch {
		case i < 8:
			p.Add(at(0, control.Event{Kind: "reload ended", Service: name, Result: "kept_old", Error: "it was no good", Tail: []string{"one", "two"}}))
		case i < 36:
			p.Add(at(0, control.Event{Kind: "reload ended", Service: name, Result: "promoted"}))
		}
	}
	for height := 1; height < 300; height += 1 + height/20 {
		lines := p.Lines(noon, screen.Style{Width: 80}, height)
		if len(lines) > height {
			t.Fatalf("%d lines in a terminal of %d", len(lines), height)
		}
	}
	lines := p.Lines(noon, screen.Style{Width: 80}, 23)
	golden(t, "reload-many", lines)
	golden(t, "reload-many-last", p.Last(noon, screen.Style{Width: 80}, 23))
}

func TestNoLineOfAReloadIsWiderThanTheTerminal(t *testing.T) {
	for width := 8; width < 140; width += 1 + width/20 {
		p := screen.NewProgress("reload", []string{strings.Repeat("long", 16)}, noon)
		for _, e := range deployment() {
			e.Tail = append(slices.Clone(e.Tail), strings.Repeat("界", 100))
			p.Add(e)
			for _, line := range slices.Concat(p.Lines(noon, screen.Style{Width: width, Colour: true}, 0), p.Last(noon, screen.Style{Width: width}, 0)) {
				if cells(line) > width {
					t.Fatalf("at width %d a line has %d cells: %q", width, cells(line), line)
				}
			}
		}
	}
}

func TestTheStopOfABadReleaseIsNoDrain(t *testing.T) {
	p := screen.NewProgress("reload", nil, noon)
	for _, e := range []control.Event{
		{Kind: "reload begun", Service: "web"},
		{Kind: "generation started", Service: "web", Generation: 2, WaitSeconds: 3},
		{Kind: "stop signal sent", Service: "web", Generation: 2, Role: "incoming", WaitSeconds: 5},
	} {
		p.Add(at(0, e))
	}
	if lines := p.Lines(noon, screen.Style{}, 0); !strings.Contains(lines[0], "taken back") {
		t.Errorf("%q", lines)
	}
}

func TestAFrameGoesUpByTheRowsItTakesNow(t *testing.T) {
	var f screen.Frame
	first := f.Redraw([]string{"one", strings.Repeat("x", 60)}, 80)
	if strings.Contains(first, "A") || !strings.Contains(first, "one\x1b[K\n") {
		t.Errorf("the first: %q", first)
	}
	if again := f.Redraw([]string{"one", strings.Repeat("x", 60)}, 80); again != "" {
		t.Errorf("the same: %q", again)
	}
	if narrower := f.Redraw([]string{"two"}, 40); !strings.Contains(narrower, "\r\x1b[3A") || !strings.Contains(narrower, "two\x1b[K\n\x1b[J") {
		t.Errorf("on a narrower terminal: %q", narrower)
	}
	if full := f.Redraw([]string{strings.Repeat("y", 40)}, 40); strings.Contains(full, "y\x1b[K") {
		t.Errorf("the last letter of a full line is erased: %q", full)
	}
}

func TestAPageHasNoMoreLinesThanTheTerminal(t *testing.T) {
	page := screen.Page([]string{"1", "2", "3", "4", "5"}, 80, 4)
	if strings.Count(page, "\n") != 3 || !strings.Contains(page, "3 more lines") || !strings.Contains(page, "2\x1b[K") {
		t.Errorf("%q", page)
	}
}

func TestSuccessLeavesOutWhatIsNotKnown(t *testing.T) {
	for _, c := range []struct {
		what, want string
		outcome    control.Outcome
	}{
		{"stop", "web  stopped      gone after 2.0s", control.Outcome{Result: "stopped", DrainSeconds: 2}},
		{"stop", "web  stopped", control.Outcome{Result: "stopped"}},
		{"start", "web  started      generation 3 in 1.0s", control.Outcome{Result: "started", ReadySeconds: 1}},
		{"reload", "web  promoted     generation 3 in 1.0s, the old one gone after <0.1s", control.Outcome{Result: "promoted", ReadySeconds: 1, DrainSeconds: 0.001}},
	} {
		p := screen.NewProgress(c.what, []string{"web"}, noon)
		if c.outcome.ReadySeconds > 0 { // the generation has ended since, so the result does not name it
			p.Add(at(0, control.Event{Kind: "answered", Service: "web", Generation: 3, Result: c.outcome.Result}))
		}
		p.Add(at(0, control.Event{Kind: "result", Reload: &control.Reload{Done: true, Services: []control.ServiceReload{{Name: "web", Outcome: c.outcome}}}}))
		if got := p.Last(noon, screen.Style{}, 0)[0]; got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
