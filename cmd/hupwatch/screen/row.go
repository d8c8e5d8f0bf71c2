package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hupwatch/runner/control"
	"hupwatch/services"
)

// row is one service while something is done to it.
type row struct {
	name       string
	step       step
	why        string // what it waits for
	generation int
	instance   int
	until      time.Time // the end of the warm-up
	outcome    *outcome
	drains     []drain
}

// step is how far it has come.
type step string

const (
	stepWaiting  step = "waiting"
	stepStarting step = "starting"
	stepWarming  step = "warming up"
	stepPromoted step = "promoted"
	stepTaken    step = "taken back" // the incoming one is stopped again
	stepStopping step = "stopping"
)

// outcome is what it came to.
type outcome struct {
	result     string
	reason     string
	tail       []string
	exit       *control.Exit
	generation int
	seconds    float64
	drained    float64 // how long the old one took
}

// drain is an old generation that finishes its work.
type drain struct {
	instance, generation int
	killAt               time.Time
	connections          *int
	killed               bool
}

// readyKind says that the warm-up of a generation begins.
const readyKind services.Kind = "generation ready"

// add takes what happened to the service.
func (r *row) add(e control.Event) {
	switch services.Kind(e.Kind) {
	case services.KindReloadWaits:
		r.why = cmp.Or(e.Error, "an old generation has to end first")
	case services.KindReloadBegun:
		r.step, r.why = stepStarting, ""
	case services.KindStarted:
		r.instance, r.generation = e.Instance, e.Generation
		r.warm(e)
	case readyKind:
		r.warm(e)
	case services.KindPromoted:
		r.step = stepPromoted
	case services.KindStopSignalled:
		r.signalled(e)
	case "draining":
		if d := r.drain(e); d != nil {
			d.connections = e.Connections
		}
	case services.KindKilled:
		if d := r.drain(e); d != nil {
			d.killed = true
		}
	case services.KindExited, services.KindEnded, services.KindAbandoned:
		r.gone(e)
	case services.KindReloadEnded, services.KindAnswered:
		r.outcome = &outcome{result: e.Result, reason: e.Error, tail: e.Tail, exit: e.Exit, generation: e.Generation, seconds: e.Seconds}
	case services.KindRolledBack:
		r.outcome = &outcome{result: "rolled_back", reason: e.Error, tail: e.Tail, exit: e.Exit, generation: e.Generation}
	default:
	}
}

func (r *row) warm(e control.Event) {
	r.step, r.until = stepStarting, after(e.At.Time, e.WaitSeconds)
	if !r.until.IsZero() {
		r.step = stepWarming
	}
}

// signalled takes that a generation was told to stop: an old one, or the
// incoming one that is no good.
func (r *row) signalled(e control.Event) {
	switch {
	case e.Generation == r.generation && e.Instance == r.instance && r.step != stepPromoted && r.step != stepWaiting:
		r.step = stepTaken
		return
	case r.step == stepWaiting:
		r.step = stepStopping
	}
	r.drains = append(r.drains, drain{instance: e.Instance, generation: e.Generation, killAt: after(e.At.Time, e.WaitSeconds)})
}

func (r *row) gone(e control.Event) {
	if r.drain(e) != nil && r.outcome != nil {
		r.outcome.drained = max(r.outcome.drained, e.Seconds)
	}
	r.drains = slices.DeleteFunc(r.drains, func(d drain) bool { return d.is(e) })
}

func (r *row) drain(e control.Event) *drain {
	for i := range r.drains {
		if r.drains[i].is(e) {
			return &r.drains[i]
		}
	}
	return nil
}

func (d *drain) is(e control.Event) bool {
	return d.instance == e.Instance && d.generation == e.Generation
}

// end takes what hupwatch says at last about the service.
func (r *row) end(s control.ServiceReload) {
	generation, drained := s.Generation, s.DrainSeconds
	if r.outcome != nil {
		drained = max(drained, r.outcome.drained)
		if !r.bad() { // the one that came of it may have ended since
			generation = cmp.Or(generation, r.outcome.generation)
		}
	}
	r.outcome = &outcome{
		result: s.Result, reason: s.Error, tail: s.Tail, exit: s.Exit,
		generation: generation, seconds: s.ReadySeconds, drained: drained,
	}
}

// bad tells whether it did not come to what was asked for.
func (r *row) bad() bool { return r.outcome != nil && ofResult(r.outcome.result) == red }

// moving tells whether something is under way.
func (r *row) moving() bool {
	return len(r.drains) > 0 || r.outcome == nil && r.step != stepWaiting
}

// word is the step or the result, in a word or two.
func (r *row) word() (string, colour) {
	switch {
	case r.outcome == nil && len(r.drains) > 0 && r.step == stepPromoted, r.outcome != nil && len(r.drains) > 0 && !r.bad():
		return "draining", cyan
	case r.outcome != nil:
		return words(r.outcome.result), ofResult(r.outcome.result)
	case r.step == stepWaiting:
		return string(r.step), dim
	}
	return string(r.step), yellow
}

// detail is what there is to say beside that, in one line.
func (r *row) detail(now time.Time) string {
	switch {
	case len(r.drains) > 0:
		return r.drainText(now)
	case r.outcome != nil:
		return r.outcome.text()
	case r.why != "":
		return Safe(r.why)
	case r.generation == 0:
		return ""
	case r.step == stepWarming && r.until.After(now):
		return generationText(r.instance, r.generation) + ", " + left(now, r.until) + " left"
	case r.step == stepWarming:
		return generationText(r.instance, r.generation) + ", not ready yet"
	}
	return generationText(r.instance, r.generation)
}

func (r *row) drainText(now time.Time) string {
	d := r.drains[0] // the oldest; the next one has its turn
	text := "old " + generationText(d.instance, d.generation)
	switch {
	case d.killed:
		text += " got KILL"
	case !d.killAt.IsZero():
		text += ", KILL in " + left(now, d.killAt)
	}
	if d.connections != nil {
		text += ", " + plural(*d.connections, "connection")
	}
	if more := len(r.drains) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

func (o *outcome) text() string {
	if ofResult(o.result) != green {
		return Safe(o.reason)
	}
	var serves, parts []string
	if o.generation > 0 {
		serves = append(serves, generationText(0, o.generation))
	}
	if o.seconds > 0 {
		serves = append(serves, "in "+took(o.seconds))
	}
	if len(serves) > 0 {
		parts = append(parts, strings.Join(serves, " "))
	}
	switch {
	case o.drained > 0 && o.result == "stopped":
		parts = append(parts, "gone after "+took(o.drained))
	case o.drained > 0:
		parts = append(parts, "the old one gone after "+took(o.drained))
	}
	return strings.Join(parts, ", ")
}

// story is everything there is to say about a failure: why, how the process
// ended, and its last lines.
func (o *outcome) story(width int) []string {
	lines := Wrap(cmp.Or(Safe(o.reason), "no reason is known"), width)
	if o.exit != nil && o.reason == "" {
		lines = Wrap(exitText(o.exit), width)
	}
	return append(lines, tailLines(o.tail, len(o.tail), width)...)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
