package screen

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"hupwatch/runner/control"
)

// The columns of the status.
const (
	columnName = iota
	columnState
	columnGeneration
	columnPID
	columnUptime
	columnRelease
	columnMemory
	columnLast
)

// widestElement is what the last element of a release may take from the rest.
const widestElement = 24

// Status shows how services are: a line for each, and beneath it what else is to
// know about it.
func Status(st control.Status, now time.Time, s Style) []string {
	const few = 4 // gunicorn says three lines after the one that tells why
	return status(st, now, s, few)
}

// StatusInFull is Status for those who want to know all about these services.
func StatusInFull(st control.Status, now time.Time, s Style) []string {
	return status(st, now, s, math.MaxInt)
}

func status(st control.Status, now time.Time, s Style, tail int) []string {
	v := statusView{Style: s, now: now, tail: tail, table: table{
		header:  []string{"NAME", "STATE", "GEN", "PID", "UPTIME", "RELEASE", "MEMORY", "LAST RELOAD"},
		elastic: columnRelease,
		spare:   []int{columnMemory, columnRelease},
	}}
	lines := v.configError(st)
	if len(st.Services) == 0 {
		return append(lines, "no services")
	}
	for _, service := range st.Services {
		v.service(service)
		v.least = min(max(v.least, cells(lastElement(Safe(service.Release)))), widestElement)
	}
	return append(lines, v.lines(s)...)
}

// RestlessFirst puts the services with something to tell before those that just
// run, or are not meant to.
func RestlessFirst(st control.Status) control.Status {
	st.Services = slices.Clone(st.Services)
	slices.SortStableFunc(st.Services, func(a, b control.Service) int { return rest(a) - rest(b) })
	return st
}

// rest is 1 for a service there is nothing to tell about, else 0.
func rest(svc control.Service) int {
	still := svc.State == "running" && svc.Wanted == "up" || svc.State == "stopped" && svc.Wanted == "down"
	refused := svc.LastReload.Result != "" && ofResult(svc.LastReload.Result) == red
	if still && !refused && len(svc.Incoming) == 0 && len(svc.Draining) == 0 {
		return 1
	}
	return 0
}

type statusView struct {
	Style
	table
	now  time.Time
	tail int // how much of what a process wrote at last
}

func (v *statusView) configError(st control.Status) []string {
	if st.ConfigError == "" {
		return nil
	}
	lines := []string{v.paint(red, fit("The configuration was refused; what runs keeps the one before:", v.Width))}
	for line := range strings.Lines(st.ConfigError) {
		lines = append(lines, indent("  ", Wrap(Safe(strings.TrimRight(line, "\n")), v.room(2)))...)
	}
	return append(lines, "")
}

func (v *statusView) service(svc control.Service) {
	row := []cell{
		{text: Safe(svc.Name)},
		{text: words(svc.State), colour: ofState(svc.State)},
		{text: number(svc.Generation)},
		{text: number(svc.PID)},
		{text: "-"},
		{text: orDash(Safe(svc.Release))},
		{text: "-"},
		{text: "-"},
	}
	if svc.State == "running" && !svc.Since.IsZero() {
		row[columnUptime].text = span(v.now.Sub(svc.Since.Time))
	}
	if svc.MemoryBytes > 0 {
		row[columnMemory].text = size(svc.MemoryBytes)
	}
	if last := svc.LastReload; last.Result != "" {
		row[columnLast] = cell{words(last.Result) + strings.TrimSuffix(v.since(" ", last.EndedAt), " ago"), ofResult(last.Result)}
	}
	v.row(row...)
	v.instances(svc)
	v.incoming(svc)
	v.draining(svc)
	v.ended(svc)
	v.refused(svc)
}

// instances are shown where there is more than one.
func (v *statusView) instances(svc control.Service) {
	if len(svc.Instances) < 2 {
		return
	}
	for _, i := range svc.Instances {
		v.row(cell{text: "  instance " + strconv.Itoa(i.Instance)}, cell{}, cell{text: number(i.Generation)}, cell{text: number(i.PID)}, cell{})
	}
}

func (v *statusView) incoming(svc control.Service) {
	for _, g := range svc.Incoming {
		text := "for " + span(v.now.Sub(g.Since.Time))
		if !g.Until.IsZero() {
			text = left(v.now, g.Until.Time) + " left"
		}
		v.row(cell{text: "  incoming"}, cell{words(g.Phase), yellow}, cell{text: number(g.Generation)}, cell{text: number(g.PID)}, cell{text: text})
	}
}

func (v *statusView) draining(svc control.Service) {
	for _, g := range svc.Draining {
		text := "for " + span(v.now.Sub(g.Since.Time))
		if !g.KillAt.IsZero() {
			text += ", KILL in " + left(v.now, g.KillAt.Time)
		}
		v.row(cell{text: "  old"}, cell{"draining", cyan}, cell{text: number(g.Generation)}, cell{text: number(g.PID)}, cell{text: text})
	}
}

// ended says why a service that should run does not, and what comes next.
func (v *statusView) ended(svc control.Service) {
	if svc.State != "backoff" && svc.State != "failed" && svc.State != "exited" {
		return
	}
	var parts []string
	if !svc.LastExit.At.IsZero() || svc.LastExit.Reason != "" {
		parts = append(parts, exitText(&svc.LastExit)+v.since(" ", svc.LastExit.At))
	}
	if svc.Restarts > 0 {
		parts = append(parts, "restarts: "+strconv.Itoa(svc.Restarts))
	}
	switch {
	case !svc.NextStartAt.IsZero():
		parts = append(parts, "next start in "+left(v.now, svc.NextStartAt.Time))
	case svc.State == "failed":
		parts = append(parts, "given up: hupwatch reload "+Safe(svc.Name)+" tries again")
	}
	v.note(strings.Join(parts, "; "), nil)
}

// refused says why the last reload did not put the new release in place.
func (v *statusView) refused(svc control.Service) {
	last := svc.LastReload
	if ofResult(last.Result) != red || last.Result == "" {
		return
	}
	text := words(last.Result)
	if last.Error != "" {
		text += ": " + Safe(last.Error)
	}
	v.note(text, last.Tail)
	if len(last.Tail) > v.tail { // the cause may stand before what is shown
		v.across(indent("  ", Wrap(fmt.Sprintf("all %d lines: hupwatch status %s", len(last.Tail), Safe(svc.Name)), v.room(2)))...)
	}
}

// note is what stands beneath a service, with the end of what it wrote.
func (v *statusView) note(text string, tail []string) {
	if text == "" {
		return
	}
	v.across(indent("  ", slices.Concat(Wrap(text, v.room(2)), tailLines(tail, v.tail, v.room(2))))...)
}

// since is how long ago something was, nothing for never.
func (v *statusView) since(before string, at control.Time) string {
	if at.IsZero() {
		return ""
	}
	return before + ago(v.now.Sub(at.Time))
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
