package screen

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"hupwatch/runner/control"
)

// Why says of each service what is wrong, since when, what shows it, and what to do
// about it. wrong counts them, and a configuration that was refused. If named, it also
// says of which services nothing is wrong.
func Why(st control.Status, named bool, now time.Time, s Style) (lines []string, wrong int) {
	w := whyView{Style: s, now: now}
	if st.ConfigError != "" {
		wrong++
		w.head("the configuration", "was refused; what runs keeps the one before")
		for line := range strings.Lines(st.ConfigError) {
			w.say(Safe(strings.TrimRight(line, "\n")))
		}
		w.remedy("correct it; hupwatch check; hupwatch reload")
	}
	for _, svc := range st.Services {
		switch {
		case w.service(svc):
			wrong++
		case named:
			w.well(svc)
		}
	}
	if len(w.lines) == 0 {
		w.lines = []string{"nothing is wrong: " + plural(len(st.Services), "service")}
	}
	return w.lines, wrong
}

type whyView struct {
	Style
	now   time.Time
	lines []string
}

// head begins what there is to say about something.
func (w *whyView) head(name, text string) {
	w.lines = append(w.lines, Wrap(name+": "+w.paint(red, text), w.Width)...)
}

func (w *whyView) say(text string) {
	if text != "" {
		w.lines = append(w.lines, indent("  ", Wrap(text, w.room(2)))...)
	}
}

func (w *whyView) tail(tail []string) {
	w.lines = append(w.lines, indent("  ", tailLines(tail, len(tail), w.room(2)))...)
}

func (w *whyView) remedy(text string) { w.say(w.paint(bold, "to do: ") + text) }

// service says what is wrong with one, and reports whether anything is.
func (w *whyView) service(svc control.Service) bool {
	before := len(w.lines)
	if svc.Instead != "" {
		w.instead(svc)
	}
	begins := svc.State == control.StateStarting && svc.Generation == 0 // the last reload was of what there was before
	if last := svc.LastReload; svc.Instead == "" && !begins && last.Result != "" && ofResult(last.Result) == red {
		w.reload(svc, last)
	}
	if svc.Wanted == control.WantedUp {
		w.state(svc)
	}
	return len(w.lines) > before
}

// well says that there is nothing wrong.
func (w *whyView) well(svc control.Service) {
	text := Safe(svc.Name) + ": nothing is wrong"
	switch {
	case svc.Wanted == control.WantedDown:
		text += ", it is stopped: hupwatch start " + Safe(svc.Name) + " brings it up"
	case svc.Generation > 0:
		text += ", " + w.serving(svc)
	}
	w.lines = append(w.lines, Wrap(text, w.Width)...)
	if svc.Unseen != "" {
		w.say(control.UnseenText(Safe(svc.Unseen)))
	}
}

// serving says what serves.
func (w *whyView) serving(svc control.Service) string {
	if svc.Generation == 0 {
		return "nothing serves"
	}
	text := generationText(0, svc.Generation) + " serves"
	if svc.Release != "" {
		text += ", from " + Safe(svc.Release)
	}
	if !svc.Since.IsZero() {
		text += ", for " + span(w.now.Sub(svc.Since.Time))
	}
	return text
}

func (w *whyView) instead(svc control.Service) {
	w.head(Safe(svc.Name), "started from the last good release, not the configured one")
	w.say(cmp.Or(Safe(svc.Refused.Release), "that") + " is no good: " + Safe(svc.Instead))
	w.tail(svc.Refused.Tail)
	w.say(w.serving(svc))
	w.remedy("correct it, then hupwatch reload " + Safe(svc.Name) + "; or have the configuration lead to what serves, then hupwatch reload --changed " + Safe(svc.Name))
}

// reload says why the last reload failed, in whole or in part.
func (w *whyView) reload(svc control.Service, last control.Outcome) {
	text := words(last.Result)
	if !last.EndedAt.IsZero() {
		text += " " + ago(w.now.Sub(last.EndedAt.Time))
	}
	w.head(Safe(svc.Name), text)
	what := ""
	if last.FailedGeneration > 0 {
		what = generationText(last.Instance, last.FailedGeneration) + ", "
	}
	if last.Release != "" {
		what += "from " + Safe(last.Release)
	}
	if what = strings.TrimSuffix(what, ", "); what != "" {
		what += ": "
	}
	w.say(what + cmp.Or(Safe(last.Error), "no reason is known"))
	w.tail(last.Tail)
	w.say(w.serving(svc))
	remedy := "correct it, then hupwatch reload " + Safe(svc.Name)
	if last.FailedGeneration > 0 {
		remedy += fmt.Sprintf("; all it wrote: hupwatch logs --generation %d %s", last.FailedGeneration, Safe(svc.Name))
	}
	w.remedy(remedy)
}

// state says why a service that is wanted up does not serve, or not in all instances.
func (w *whyView) state(svc control.Service) {
	if svc.State == control.StateRunning && len(svc.Lacking) == 0 || svc.State == control.StateDone {
		return
	}
	name := Safe(svc.Name)
	text := words(svc.State)
	if !svc.Since.IsZero() {
		text += ", for " + span(w.now.Sub(svc.Since.Time))
	}
	if n := len(svc.Lacking); n > 0 && len(svc.Instances) > 0 {
		text = fmt.Sprintf("%d of %d instances do not serve", n, n+len(svc.Instances))
	}
	w.head(name, text)
	v := statusView{now: w.now}
	for _, l := range svc.Lacking {
		if v := v.endText(svc.Name, l.State, l.LastExit, 0, l.NextStartAt); v != "" && len(svc.Lacking)+len(svc.Instances) > 1 {
			w.say(fmt.Sprintf("instance %d: ", l.Instance) + v)
		}
	}
	if len(svc.Awaits) > 0 {
		w.say("it waits for " + Safe(strings.Join(svc.Awaits, ", ")) + " to be ready")
		w.remedy("hupwatch why " + Safe(strings.Join(svc.Awaits, " ")))
		return
	}
	for _, g := range svc.Incoming {
		text := w.its(svc, g) + " " + words(g.Phase) + ": " + v.phaseText(g)
		if lacks := lacksText(g.Why, g.Status); lacks != "" {
			text += ": " + lacks
		}
		w.say(text)
	}
	if len(svc.Lacking)+len(svc.Instances) <= 1 {
		w.say(v.endText(svc.Name, "", svc.LastExit, svc.Restarts, svc.NextStartAt))
	}
	w.tail(lastTail(svc))
	switch svc.State {
	case control.StateFailed:
		w.remedy("correct it, then hupwatch reload " + name + ": it is not started again by itself")
	case control.StateBackoff:
		w.remedy("correct it, then hupwatch reload " + name + ": that tries at once")
	}
}

func (w *whyView) its(svc control.Service, g control.Incoming) string {
	if many(svc) {
		return fmt.Sprintf("instance %d generation %d", g.Instance, g.Generation)
	}
	return generationText(0, g.Generation)
}
