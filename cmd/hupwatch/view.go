package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// view shows events as they come.
type view interface {
	add(control.Event)
	// due is the time until draw is to be called.
	due() time.Duration
	draw()
	// end comes last.
	end()
}

// viewOf chooses how a request is shown.
func (p *program) viewOf(progress *screen.Progress, asJSON bool) view {
	switch d := newDisplay(p.stdout); {
	case asJSON:
		return &jsonView{progress: progress, encoder: control.NewEncoder(p.stdout)}
	case d.escapes:
		return &movingView{progress: progress, display: d, out: p.stdout, drawn: time.Now()}
	}
	return &plainView{progress: progress, out: p.stdout}
}

// never is the due time of a view that does not draw.
const never = 24 * time.Hour

// jsonView prints the events as they are.
type jsonView struct {
	progress *screen.Progress
	encoder  *json.Encoder
}

func (v *jsonView) add(e control.Event) {
	v.progress.Add(e)
	_ = v.encoder.Encode(e)
}

func (v *jsonView) due() time.Duration { return never }

func (v *jsonView) draw() {}

func (v *jsonView) end() {}

// plainView prints a line for each step.
type plainView struct {
	progress *screen.Progress
	out      io.Writer
	begun    bool
}

func (v *plainView) add(e control.Event) {
	v.begun = true
	for _, line := range v.progress.Step(e) {
		fmt.Fprintln(v.out, line)
	}
	v.progress.Add(e)
}

func (v *plainView) due() time.Duration { return never }

func (v *plainView) draw() {}

func (v *plainView) end() {
	if v.begun {
		fmt.Fprintln(v.out, v.progress.Summary(time.Now()))
	}
}

// How often a moving view is drawn: while events come, and while only time passes.
// So it follows the width of the terminal within a second.
const (
	soonest = 100 * time.Millisecond
	latest  = time.Second
)

// movingView keeps a line for each service up to date.
type movingView struct {
	progress *screen.Progress
	display  display
	out      io.Writer
	frame    screen.Frame
	drawn    time.Time
	begun    bool
	dirty    bool
}

func (v *movingView) add(e control.Event) {
	v.progress.Add(e)
	v.begun, v.dirty = true, true
}

func (v *movingView) due() time.Duration {
	if v.dirty {
		return max(soonest-time.Since(v.drawn), 0)
	}
	return max(latest-time.Since(v.drawn), 0)
}

func (v *movingView) draw() {
	width, height := v.display.size()
	v.drawn, v.dirty, v.begun = time.Now(), false, true
	lines := v.progress.Lines(v.drawn, v.display.style(), max(height-1, 1))
	_, _ = io.WriteString(v.out, v.frame.Redraw(lines, width))
}

func (v *movingView) end() {
	if !v.begun {
		return
	}
	width, height := v.display.size()
	lines := v.progress.Last(time.Now(), v.display.style(), max(height-1, 1))
	_, _ = io.WriteString(v.out, v.frame.Redraw(lines, width))
}
