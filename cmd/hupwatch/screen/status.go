package screen

import (
	"cmp"
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

// widestElement is the most cells that the last element of a release keeps at the
// expense of the first column.
const widestElement = 24

// Status shows how services are: a line for each, and beneath it what else is to
// know about it.
func Status(st control.Status, now time.Time, s Style) []string {
	const few = 4 // gunicorn writes three lines after the one that names the cause
	return status(st, now, s, few, false)
}

// StatusInFull is Status with all there is to say about these services.
func StatusInFull(st control.Status, now time.Time, s Style) []string {
	return status(st, now, s, math.MaxInt, true)
}

func status(st control.Status, now time.Time, s Style, tail int, full bool) []string {
	v := statusView{Style: s, now: now, tail: tail, full: full, states: make(map[string]string), table: table{
		header:  []string{"NAME", "STATE", "GEN", "PID", "UPTIME", "RELEASE", "MEMORY", "LAST RELOAD"},
		elastic: columnRelease,
		spare:   []int{columnMemory, columnRelease},
	}}
	lines := v.configError(st)
	if len(st.Services) == 0 {
		return append(lines, "no services")
	}
	for _, service := range st.Services {
		v.states[service.Name] = service.State
	}
	for _, service := range st.Services {
		v.service(service)
		v.least = min(max(v.least, cells(lastElement(Safe(service.Release)))), widestElement)
	}
	return append(lines, v.lines(s)...)
}

// RestlessFirst puts the services with news before those that just run, or are
// stopped as they should be.
func RestlessFirst(st control.Status) control.Status {
	st.Services = slices.Clone(st.Services)
	slices.SortStableFunc(st.Services, func(a, b control.Service) int { return rest(a) - rest(b) })
	return st
}

// rest is 1 for a service without news, else 0.
func rest(svc control.Service) int {
	still := svc.State == control.StateRunning && svc.Wanted == control.WantedUp || svc.State == control.StateStopped && svc.Wanted == control.WantedDown
	refused := svc.LastReload.Result != "" && ofResult(svc.LastReload.Result) == red
	if still && !refused && svc.Instead == "" && len(svc.Incoming) == 0 && len(svc.Draining) == 0 {
		return 1
	}
	return 0
}

type statusView struct {
	Style
	table
	now  time.Time
	tail int // how many of the last lines of a process
	full bool
	// states are those of all services.
	states map[string]string
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
	if svc.State == control.StateRunning && !svc.Since.IsZero() {
		row[columnUptime].text = span(v.now.Sub(svc.Since.Time))
	}
	if svc.MemoryBytes > 0 {
		row[columnMemory].text = size(svc.MemoryBytes)
	}
	if last := svc.LastReload; last.Result != "" {
		row[columnLast] = cell{words(last.Result) + strings.TrimSuffix(v.since(" ", last.EndedAt), " ago"), ofResult(last.Result)}
	}
	if many(svc) {
		v.together(svc, row)
	}
	v.row(row...)
	if many(svc) && (v.full || differ(svc)) {
		v.instances(svc)
	}
	v.awaits(svc)
	v.incoming(svc)
	v.draining(svc)
	if !many(svc) || len(svc.Lacking) == 0 { // else it was said of each instance
		v.ended(svc)
	}
	v.refused(svc)
	v.known(svc)
}

// known is what else is known of the releases.
func (v *statusView) known(svc control.Service) {
	if svc.Instead != "" {
		v.warning(fmt.Sprintf("started from the last good release, not %s: %s; hupwatch reload %s tries that one again",
			cmp.Or(Safe(svc.Refused.Release), "the configured one"), Safe(svc.Instead), Safe(svc.Name)))
	}
	if svc.Unseen != "" {
		v.note(control.UnseenText(Safe(svc.Unseen)), nil)
	}
	if !v.full {
		return
	}
	if until := svc.ProbationUntil; until.After(v.now) {
		v.note("on probation, "+left(v.now, until.Time)+" left: should it end, the release before is started again", nil)
	}
	if len(svc.Releases) > 0 {
		v.note("releases, the one that served last first:", nil)
	}
	for _, r := range svc.Releases {
		text := Safe(r.Release)
		if r.Good {
			text += ", served well"
		}
		v.across(indent("    ", Wrap(text, v.room(4)))...)
	}
}

// warning is a note that somebody has to do something about.
func (v *statusView) warning(text string) {
	v.across(indent("  ", paintAll(v.Style, red, Wrap(text, v.room(2))))...)
}

// many reports whether it has more than one instance.
func many(svc control.Service) bool { return len(svc.Instances)+len(svc.Lacking) > 1 }

// differ reports whether there is more to say about its instances than how many there
// are.
func differ(svc control.Service) bool {
	return len(svc.Lacking) > 0 || svc.LastReload.Result == control.ResultPartial || slices.ContainsFunc(svc.Instances, func(i control.Instance) bool { return i.Release != svc.Instances[0].Release })
}

// together makes the row of a service stand for all its instances.
func (v *statusView) together(svc control.Service, row []cell) {
	if len(svc.Instances) == 0 {
		return
	}
	row[columnState].text = fmt.Sprintf("%d/%d running", len(svc.Instances), len(svc.Instances)+len(svc.Lacking))
	low, high := svc.Generation, svc.Generation
	for _, i := range svc.Instances {
		low, high = min(low, i.Generation), max(high, i.Generation)
	}
	if low != high {
		row[columnGeneration].text = fmt.Sprintf("%d-%d", low, high)
	}
	if len(svc.Instances) > 1 {
		row[columnPID].text = "-"
	}
}

// instances adds a line for each instance.
func (v *statusView) instances(svc control.Service) {
	for _, i := range svc.Instances {
		row := []cell{{text: nameOf("instance", i.Instance)}, {control.StateRunning, green}, {text: number(i.Generation)}, {text: number(i.PID)}, {}, {}, {}, {}}
		if !i.Since.IsZero() {
			row[columnUptime].text = span(v.now.Sub(i.Since.Time))
		}
		if i.Release != svc.Release {
			row[columnRelease].text = Safe(i.Release)
		}
		v.row(row...)
	}
	for _, l := range svc.Lacking {
		v.row(cell{text: nameOf("instance", l.Instance)}, cell{words(l.State), ofState(l.State)}, cell{text: "-"}, cell{text: "-"},
			cell{text: v.endText(svc.Name, l.State, l.LastExit, 0, l.NextStartAt)})
	}
}

func nameOf(what string, instance int) string { return fmt.Sprintf("  %s %d", what, instance) }

// awaits says which services must be ready first, and in which state those are.
func (v *statusView) awaits(svc control.Service) {
	names := make([]string, len(svc.Awaits))
	for i, name := range svc.Awaits {
		names[i] = Safe(name)
		if state := v.states[name]; state != "" {
			names[i] += " (" + words(state) + ")"
		}
	}
	if len(names) > 0 {
		v.note("for "+strings.Join(names, ", "), nil)
	}
}

func (v *statusView) incoming(svc control.Service) {
	for _, g := range svc.Incoming {
		name := "  incoming"
		if many(svc) {
			name = nameOf("incoming", g.Instance)
		}
		v.row(cell{text: name}, cell{words(g.Phase), yellow}, cell{text: number(g.Generation)}, cell{text: number(g.PID)}, cell{text: v.phaseText(g)})
		if g.Phase == control.PhaseProving && g.Why+g.Status != "" {
			v.note(lacksText(g.Why, g.Status), nil)
		}
	}
}

// phaseText says what an incoming generation waits for, and how long at most.
func (v *statusView) phaseText(g control.Incoming) string {
	text := ""
	switch g.Phase {
	case control.PhasePreparing:
		text = "before_start runs"
	case control.PhaseWaiting:
		text = "for the old one to be gone"
	case control.PhaseProving:
		text = "not ready yet"
	case control.PhaseOverlapping:
		text = "both serve"
	case control.PhaseHandover:
		text = "before_stop of the old one runs"
	default:
	}
	rest := "for " + span(v.now.Sub(g.Since.Time))
	if !g.Until.IsZero() {
		rest = left(v.now, g.Until.Time) + " left"
	}
	return strings.TrimPrefix(text+", "+rest, ", ")
}

func (v *statusView) draining(svc control.Service) {
	for _, g := range svc.Draining {
		name := "  old"
		if many(svc) {
			name = nameOf("old", g.Instance)
		}
		text := "for " + span(v.now.Sub(g.Since.Time))
		if g.Hook != "" {
			text = Safe(g.Hook) + " runs, " + text
		}
		if !g.KillAt.IsZero() {
			text += ", KILL in " + left(v.now, g.KillAt.Time)
		}
		v.row(cell{text: name}, cell{"draining", cyan}, cell{text: number(g.Generation)}, cell{text: number(g.PID)}, cell{text: text})
	}
}

// lately is for how long a crash is shown of a service that runs again.
const lately = time.Hour

// ended says why a service that should run does not, and what comes next; of one that
// runs again, that it had ended.
func (v *statusView) ended(svc control.Service) {
	last := svc.LastExit
	switch svc.State {
	case control.StateBackoff, control.StateFailed, control.StateDone:
		v.note(v.endText(svc.Name, svc.State, last, svc.Restarts, svc.NextStartAt), lastTail(svc))
	case control.StateRunning:
		if svc.Restarts > 0 && last.At.After(svc.LastReload.EndedAt.Time) && (v.full || v.now.Sub(last.At.Time) < lately) {
			v.note("ended by itself: "+v.endText(svc.Name, svc.State, last, svc.Restarts, svc.NextStartAt), nil)
		}
	}
}

// lastTail are the last lines of what ended by itself, unless they are shown with the
// last reload.
func lastTail(svc control.Service) []string {
	if last := svc.LastReload; ofResult(last.Result) == red && slices.Equal(last.Tail, svc.LastTail) {
		return nil
	}
	return svc.LastTail
}

// endText says how something ended, and what comes next.
func (v *statusView) endText(name, state string, last control.Exit, restarts int, next control.Time) string {
	var parts []string
	if !last.At.IsZero() || last.Reason != "" {
		parts = append(parts, exitText(&last)+v.since(" ", last.At))
	}
	if restarts > 0 {
		parts = append(parts, "restarts: "+strconv.Itoa(restarts))
	}
	switch {
	case !next.IsZero():
		parts = append(parts, "next start in "+left(v.now, next.Time))
	case state == control.StateFailed:
		parts = append(parts, "given up: hupwatch reload "+Safe(name)+" tries again")
	}
	return strings.Join(parts, "; ")
}

// refused says why the last reload did not put the new release in place, or not all
// of it.
func (v *statusView) refused(svc control.Service) {
	last := svc.LastReload
	partly := last.Result == control.ResultSignalled && last.Error != ""
	if last.Result == "" || ofResult(last.Result) != red && !partly {
		return
	}
	text := words(last.Result)
	if last.Error != "" {
		text += ": " + instanceText(last.Instance) + Safe(last.Error)
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

// since is how long ago something was. It is empty for something that never was.
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
