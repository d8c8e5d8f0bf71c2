package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hupwatch/runner/control"
)

// Step shows an event in plain lines. There are none for an event not worth a line.
func (p *Progress) Step(e control.Event) []string {
	switch {
	case e.Reload != nil:
		return p.lastSteps(*e.Reload)
	case e.Kind == control.KindRequest:
		return p.firstSteps(e)
	case e.Service == "", e.Kind == control.KindReloadBegun: // its result says more
		return nil
	}
	r := p.row(e.Service)
	text := stepText(e, r.nameOf)
	switch {
	case text == "", e.Kind == control.KindAwaits && r.awaits == awaited(e):
		return nil
	case r.failure != nil && r.failure.result == e.Result: // why was said before
		e.Error, e.Tail = "", nil
		text = stepText(e, r.nameOf)
	}
	lines := []string{Safe(e.Service) + ": " + text}
	if isOutcome(e) || e.Kind == control.KindHookFailed {
		lines = append(lines, indent(Safe(e.Service)+": ", tailLines(e.Tail, len(e.Tail), 0))...)
	}
	return lines
}

// firstSteps says which of the services asked for are known to wait for others.
func (p *Progress) firstSteps(e control.Event) []string {
	var lines []string
	for _, svc := range p.known {
		if len(svc.Awaits) > 0 && (len(e.Services) == 0 || slices.Contains(e.Services, svc.Name)) {
			p.row(svc.Name)
			lines = append(lines, Safe(svc.Name)+": waits for "+Safe(strings.Join(svc.Awaits, ", "))+" to be ready")
		}
	}
	return lines
}

// lastSteps shows the results of services that were not shown before.
func (p *Progress) lastSteps(result control.Reload) []string {
	var lines []string
	for _, s := range result.Services {
		r := p.row(s.Name)
		if r.outcome != nil && r.outcome.result == s.Result || s.Result == "" {
			continue
		}
		e := control.Event{Kind: control.KindReloadEnded, Service: s.Name, Result: s.Result, Error: s.Error, Tail: s.Tail}
		if s.Result == control.ResultRolledBack {
			e.Serving = s.Generation
		}
		lines = append(lines, p.Step(e)...)
	}
	return lines
}

// stepText words one thing that happened to a service. name is how its generations are
// named.
func stepText(e control.Event, name func(instance, generation int) string) string {
	generation := name(e.Instance, e.Generation)
	switch e.Kind {
	case control.KindReloadWaits:
		return "waits: " + Safe(cmp.Or(e.Error, "an old generation has to end first"))
	case control.KindAwaits:
		return "waits for " + Safe(awaited(e)) + " to be ready"
	case control.KindReloadBegun:
		return "starting"
	case control.KindHookBegun:
		text := hookName(e.Hook) + " runs"
		if e.Generation > 0 {
			text = hookName(e.Hook) + " of " + generation + " runs"
		}
		return text
	case control.KindHookFailed:
		return hookText(e)
	case control.KindReady:
		text := generation + " ready after " + took(e.Seconds)
		if e.WaitSeconds > 0 {
			text += ", warm-up " + took(e.WaitSeconds)
		}
		return text
	case control.KindPublished:
		return generation + " published"
	case control.KindStarted:
		text := fmt.Sprintf("%s started, pid %d", generation, e.PID)
		if e.WaitSeconds > 0 {
			text += ", warm-up " + took(e.WaitSeconds)
		}
		return text
	case control.KindPromoted:
		return fmt.Sprintf("%s serves after %s", generation, took(e.Seconds))
	case control.KindStopSignalled:
		text := generation + " got " + cmp.Or(Safe(e.Signal), "the stop signal")
		if !after(e.At.Time, e.WaitSeconds).IsZero() {
			text += ", KILL in " + took(e.WaitSeconds)
		}
		return text
	case control.KindKilled:
		return generation + " got KILL"
	case control.KindExited:
		return generation + " gone after " + took(e.Seconds) + exitPart(e)
	case control.KindEnded: // by itself, and others of its group may live on
		return generation + " ended after " + took(e.Seconds) + exitPart(e)
	case control.KindDone:
		return generation + " done after " + took(e.Seconds) + exitPart(e)
	case control.KindMainGone:
		text := "others of the group of " + generation + " live on"
		if !after(e.At.Time, e.WaitSeconds).IsZero() {
			text += ", KILL in " + took(e.WaitSeconds)
		}
		return text
	case control.KindRestart:
		if e.WaitSeconds > 0 && e.WaitSeconds < never {
			return "is started again in " + took(e.WaitSeconds)
		}
		return "is started again"
	case control.KindSettled:
		return "probation over"
	case control.KindInstead:
		return insteadText(e)
	case control.KindForwarded:
		return generation + " got " + cmp.Or(Safe(e.Signal), "a signal")
	default:
		if isOutcome(e) {
			return resultText(e, name)
		}
		return ""
	}
}

// insteadText says that a service was not started from the configured release.
func insteadText(e control.Event) string {
	text := "is started from the last good release"
	if e.ServingRelease != "" {
		text += ", " + Safe(e.ServingRelease)
	}
	if e.Release != "" {
		text += ", not from " + Safe(e.Release)
	}
	if e.Error != "" {
		text += ": " + Safe(e.Error)
	}
	return text
}

// isOutcome reports whether an event says what a request came to for a service.
func isOutcome(e control.Event) bool {
	switch e.Kind {
	case control.KindReloadEnded, control.KindAnswered, control.KindRolledBack:
		return true
	default:
		return false
	}
}

// exitPart says how a process ended, at the end of a text about it.
func exitPart(e control.Event) string {
	if e.Exit == nil {
		return ""
	}
	return ", " + exitText(e.Exit)
}

func resultText(e control.Event, name func(instance, generation int) string) string {
	text := words(cmp.Or(e.Result, control.ResultRolledBack))
	switch {
	case e.Kind == control.KindRolledBack:
		if e.Generation > 0 {
			text = name(e.Instance, e.Generation) + " rolled back"
		}
		if e.ServingRelease != "" {
			text += " to " + Safe(e.ServingRelease)
		}
		if e.Exit != nil && !strings.Contains(e.Error, exitText(e.Exit)) {
			text += exitPart(e)
		}
	case e.Result == control.ResultRolledBack && e.Serving > 0:
		text += ", " + name(e.Instance, e.Serving) + " serves"
	case e.Result == control.ResultPartial && e.Generation > 0:
		text += ", " + name(e.Instance, e.Generation)
	}
	if e.Error != "" {
		text += ": " + Safe(e.Error)
	}
	return text
}
