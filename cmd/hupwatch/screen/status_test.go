package screen_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// night is a host on which not everything is well.
func night() control.Status {
	tail := []string{
		"Traceback (most recent call last):", `  File "/srv/api/releases/20260301-0312/app.py", line 1, in <module>`,
		"    import jnja2", "ModuleNotFoundError: No module named 'jnja2'",
	}
	return control.Status{
		Version: "1.0", PID: 1, Config: "/etc/hupwatch.toml",
		ConfigError: "/etc/hupwatch.toml:12: services.web.stop_signal: unknown signal \"TREM\", did you mean TERM?\n" +
			"/etc/hupwatch.toml:14: services.web.cmd: unknown key, did you mean command?",
		Services: []control.Service{
			{
				Name: "api", State: "running", Wanted: "up", Generation: 3, PID: 4711, Release: "/srv/api/releases/20260228-2210",
				Since: before(75 * time.Hour), MemoryBytes: 213e6,
				Instances: []control.Instance{{Generation: 3, PID: 4711}},
				LastReload: control.Outcome{
					Result: "kept_old", Error: "exited with status 1, 600ms after it started, before its warm-up of 2s was over",
					Tail: tail, EndedAt: before(5 * time.Minute), Reload: 7,
				},
			},
			{
				Name: "web", State: "running", Wanted: "up", Generation: 12, PID: 20111, Release: "/srv/web/releases/41",
				Since: before(7512 * time.Second), MemoryBytes: 1_430e6,
				Instances: []control.Instance{{Instance: 0, Generation: 12, PID: 20111}, {Instance: 1, Generation: 12, PID: 20119}},
				Incoming:  []control.Incoming{{Generation: 13, PID: 20300, Phase: "warming", Since: before(time.Second), Until: in(2500 * time.Millisecond)}},
				Draining: []control.Draining{
					{Generation: 11, PID: 19003, Since: before(4 * time.Second), KillAt: in(26 * time.Second)},
					{Instance: 1, Generation: 11, PID: 19009, Since: before(4 * time.Second)},
				},
				LastReload: control.Outcome{Result: "promoted", EndedAt: before(2 * time.Hour)},
			},
			{
				Name: "worker", State: "backoff", Wanted: "up", Restarts: 4, LastExit: control.Exit{Signal: "SEGV", Code: 139, At: before(3 * time.Second)},
				NextStartAt: in(12 * time.Second), Release: "/srv/worker/current",
			},
			{Name: "mailer", State: "failed", Wanted: "up", Restarts: 10, LastExit: control.Exit{Code: 3, At: before(40 * time.Minute)}},
			{Name: "old-report.2019", State: "stopped", Wanted: "down"},
			{Name: "boot", State: "starting", Wanted: "up", Incoming: []control.Incoming{{Generation: 1, PID: 9, Phase: "proving", Since: before(7 * time.Second)}}},
		},
	}
}

func TestStatusFitsATerminal(t *testing.T) {
	golden(t, "status-80", screen.Status(night(), noon, screen.Style{Width: 80}))
	golden(t, "status-colour", screen.Status(night(), noon, screen.Style{Width: 80, Colour: true}))
	golden(t, "status-piped", screen.Status(night(), noon, screen.Style{}))
}

func TestNoLineOfAStatusIsWiderThanTheTerminal(t *testing.T) {
	hostile := night()
	for i := range hostile.Services {
		svc := &hostile.Services[i]
		svc.Name = strings.Repeat("n", 10*i) + "a"
		svc.Release = "/srv/" + strings.Repeat("界", i*7) + "/x"
		svc.LastReload.Tail = append(svc.LastReload.Tail, strings.Repeat("界", 70), "\x1b[2J\x1b]0;title\x07", strings.Repeat("x", 300))
	}
	for width := 8; width < 200; width += 1 + width/20 {
		for _, colour := range []bool{false, true} {
			for _, line := range screen.Status(hostile, noon, screen.Style{Width: width, Colour: colour}) {
				if n := cells(line); n > width {
					t.Fatalf("at width %d a line has %d cells: %q", width, n, line)
				}
			}
		}
	}
}

func TestTheLastPartOfAReleaseIsShown(t *testing.T) {
	lines := screen.Status(night(), noon, screen.Style{Width: 80})
	if !strings.Contains(strings.Join(lines, "\n"), " 20260228-2210  ") {
		t.Errorf("%q", lines)
	}
}

func TestWhatComesFromElsewhereCannotCommandTheTerminal(t *testing.T) {
	const evil = "a\x1b[2Jb\x9bc\x07d\r\ne\u202ef\xffg\x00"
	st := control.Status{ConfigError: evil, Services: []control.Service{{
		Name: evil, State: evil, Release: evil, LastExit: control.Exit{Reason: evil, Signal: evil},
		Incoming: []control.Incoming{{Phase: evil}, {Phase: "proving", Why: evil, Status: evil}},
		Awaits:   []string{evil}, Lacking: []control.Lacking{{State: evil}, {LastExit: control.Exit{Reason: evil}}}, Draining: []control.Draining{{Hook: evil}},
		LastReload: control.Outcome{Result: evil, Error: evil, Tail: []string{evil}},
	}}}
	e := control.Event{
		Kind: evil, Service: evil, By: evil, Error: evil, Result: evil, Signal: evil, Tail: []string{evil},
		Exit: &control.Exit{Reason: evil}, Counts: map[string]int{evil: 1}, Release: evil, Generation: 2,
		Hook: evil, Phase: "proving", Status: evil, Services: []string{evil}, Verb: evil, Path: evil, Version: evil,
	}
	var lines []string
	style := screen.Style{Width: 80}
	lines = append(lines, screen.Status(st, noon, style)...)
	lines = append(lines, screen.Plan(control.Plan{Problems: []string{evil}}, style)...)
	lines = append(lines, screen.Plan(control.Plan{Services: []control.PlanService{{Name: evil, Action: evil, Why: evil, Changed: []string{evil}, Notes: []string{evil}, Error: evil}}}, style)...)
	lines = append(lines, screen.Log(control.Line{Service: evil, Text: evil}, 5, false, style))
	for _, kind := range []string{evil, "reload ended", "generation started", "generation exited", "stop signal sent", "reload waits", "rolled back", "answered", "hook begun", "hook failed", "incoming", "waiting for others", "generation ready", "signal sent", "reload asked"} {
		e.Kind = kind
		p := screen.NewProgress("reload", []string{evil}, noon)
		p.Add(e)
		lines = append(lines, p.Lines(noon, style, 0)...)
		lines = append(lines, p.Step(e)...)
		last := control.Event{Kind: "result", Reload: &control.Reload{Services: []control.ServiceReload{{Name: evil, Outcome: st.Services[0].LastReload, State: evil}}}}
		lines = append(lines, p.Step(last)...)
		p.Add(last)
		lines = append(lines, p.Last(noon, style, 0)...)
		lines = append(lines, screen.Event(e, style))
	}
	for _, line := range lines {
		if line != screen.Safe(line) {
			t.Errorf("%q", line)
		}
	}
}

func TestSafeEscapesWhatIsNotVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ünïcode, 界": "plain, ünïcode, 界",
		"\x1b[31mred":       `\x1b[31mred`,
		"a\tb":              "a    b",
		"a\nb\rc":           `a\nb\rc`,
		"\u009b\u202e":      `\u009b\u202e`,
		"\xff":              `\xff`,
		"\ufffd":            "\ufffd",
	} {
		if got := screen.Safe(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestWrapLosesNothing(t *testing.T) {
	for _, text := range []string{"", "word", "one two three four", strings.Repeat("x", 95), "a " + strings.Repeat("y", 40) + " b", strings.Repeat("界 ", 30), "    indented text that is long enough"} {
		for most := 2; most < 60; most++ {
			joined := strings.Join(screen.Wrap(text, most), "")
			if strings.ReplaceAll(joined, " ", "") != strings.ReplaceAll(text, " ", "") {
				t.Errorf("%q at %d becomes %q", text, most, joined)
			}
			for _, line := range screen.Wrap(text, most) {
				if cells(line) > most {
					t.Errorf("%q at %d has the line %q", text, most, line)
				}
			}
		}
	}
}

func TestAnEmptyStatusSaysSo(t *testing.T) {
	if got := fmt.Sprint(screen.Status(control.Status{}, noon, screen.Style{})); got != "[no services]" {
		t.Error(got)
	}
}

func TestServicesWithNewsComeFirst(t *testing.T) {
	var names []string
	for _, svc := range screen.RestlessFirst(control.Status{Services: []control.Service{
		{Name: "calm", State: "running", Wanted: "up", LastReload: control.Outcome{Result: "promoted"}},
		{Name: "off", State: "stopped", Wanted: "down"},
		{Name: "refused", State: "running", Wanted: "up", LastReload: control.Outcome{Result: "kept_old"}},
		{Name: "failed", State: "failed", Wanted: "up"},
		{Name: "new", State: "running", Wanted: "up", Incoming: []control.Incoming{{}}},
	}}).Services {
		names = append(names, svc.Name)
	}
	if got := strings.Join(names, " "); got != "refused failed new calm off" {
		t.Error(got)
	}
}

func TestANarrowTerminalShowsWhatTheLastReloadCameTo(t *testing.T) {
	for _, line := range screen.Status(night(), noon, screen.Style{Width: 66}) {
		if strings.HasPrefix(line, "api ") && !strings.HasSuffix(line, " kept old 5m") {
			t.Errorf("%q", line)
		}
		if strings.Contains(line, "old-report") && !strings.HasPrefix(line, "old-report.2019 ") {
			t.Errorf("a name that cannot be typed: %q", line)
		}
	}
}

func TestStatusShowsThatARunningServiceHadCrashed(t *testing.T) {
	web := control.Service{
		Name: "web", State: "running", Wanted: "up", Generation: 3, PID: 4, Instances: []control.Instance{{Generation: 3, PID: 4}}, Since: before(time.Second),
		Restarts: 2, LastExit: control.Exit{Signal: "KILL", Code: 137, At: before(2 * time.Second)},
		LastReload: control.Outcome{Result: "promoted", EndedAt: before(time.Hour)},
	}
	const want = "ended by itself: killed by signal KILL 2s ago; restarts: 2"
	show := func(full bool) string {
		st := control.Status{Services: []control.Service{web}}
		if full {
			return strings.Join(screen.StatusInFull(st, noon, screen.Style{}), "\n")
		}
		return strings.Join(screen.Status(st, noon, screen.Style{}), "\n")
	}
	if got := show(false); !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
	web.LastExit.At = before(3 * time.Hour)
	web.LastReload.EndedAt = before(4 * time.Hour)
	if got := show(false); strings.Contains(got, "ended by itself") {
		t.Errorf("a crash of three hours ago is in\n%s", got)
	}
	if got := show(true); !strings.Contains(got, "ended by itself: killed by signal KILL 3h ago; restarts: 2") {
		t.Errorf("by its name it is not in\n%s", got)
	}
	web.LastReload.EndedAt = before(time.Hour) // another release runs
	if got := show(true); strings.Contains(got, "ended by itself") {
		t.Errorf("a crash before the last reload is in\n%s", got)
	}
}

func TestStatusByNameShowsAllOfTheLastLines(t *testing.T) {
	st := night()
	st.Services = st.Services[:1]
	st.Services[0].LastReload.Tail = strings.Split(strings.Repeat("line ", 20), " ")[:20]
	for name, want := range map[string]int{"all": 4, "by name": 20} {
		show := screen.Status
		if name == "by name" {
			show = screen.StatusInFull
		}
		text := strings.Join(show(st, noon, screen.Style{}), "\n")
		if got := strings.Count(text, "| line"); got != want {
			t.Errorf("%s: %d lines, want %d", name, got, want)
		}
		if told := strings.Contains(text, "all 20 lines: hupwatch status api"); told != (want < 20) {
			t.Errorf("%s: %s", name, text)
		}
	}
}
