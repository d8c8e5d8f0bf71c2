package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"hupwatch/cmd/hupwatch/early"
	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// errInterrupted says that somebody pressed Ctrl-C.
var errInterrupted = errors.New("interrupted")

// ask asks for something to be done.
type ask func(context.Context) (*control.Events, error)

// heard is an event of an answer, or why there is no other.
type heard struct {
	event control.Event
	err   error
}

// follow asks, and shows what happens until it is over for all that was asked.
// It returns what went wrong: with what was refused, and with the following.
func (p *program) follow(ctx context.Context, v view, asks []ask) []error {
	var readers sync.WaitGroup
	defer readers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan heard)
	for _, a := range asks {
		readers.Go(func() { a.read(ctx, answers) }) // ends with its answer, or with ctx
	}
	interrupts, stop := early.Watch(syscall.SIGINT)
	defer stop()
	resizes, stopResizes := early.Watch(syscall.SIGWINCH)
	defer stopResizes()

	var failures []error
	timer := time.NewTimer(v.due())
	defer timer.Stop()
	for open := len(asks); open > 0; timer.Reset(v.due()) {
		select {
		case h := <-answers:
			switch {
			case h.err == nil:
				v.add(h.event)
				continue
			case h.err != io.EOF: //nolint:errorlint // Next says it like this, and with another one it is the connection's
				failures = append(failures, h.err)
			}
			open--
		case <-timer.C:
			v.draw()
		case <-resizes:
			v.draw()
		case <-interrupts:
			return append(failures, errInterrupted)
		case <-ctx.Done():
			return append(failures, ctx.Err())
		}
	}
	return failures
}

// read asks and hands on the answer.
func (a ask) read(ctx context.Context, answers chan<- heard) {
	events, err := a(ctx)
	if err == nil {
		defer events.Close()
	}
	for {
		h := heard{err: err}
		if err == nil {
			h.event, h.err = events.Next()
		}
		select {
		case answers <- h:
		case <-ctx.Done():
			return
		}
		if h.err != nil {
			return
		}
	}
}

// view shows events as they come.
type view interface {
	add(control.Event)
	// due is in how long draw is to be called.
	due() time.Duration
	draw()
	// end comes last.
	end()
}

// viewOf chooses how a request is shown.
func (p *program) viewOf(progress *screen.Progress, asJSON bool) view {
	switch d := newDisplay(p.stdout); {
	case asJSON:
		return &jsonView{progress: progress, encoder: newEncoder(p.stdout)}
	case d.escapes:
		return &movingView{progress: progress, display: d, out: p.stdout, drawn: time.Now()}
	}
	return &plainView{progress: progress, out: p.stdout}
}

// never is when those draw that do not.
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

// newEncoder encodes values as the control API does.
func newEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

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

// How often what moves is drawn: while things happen, and while time passes.
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
