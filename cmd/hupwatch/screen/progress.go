package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hupwatch/runner/control"
)

// Progress is what is known of a request while it is under way. It is made from the
// events that answer the request.
type Progress struct {
	what    string
	id      uint64
	rows    []*row
	index   map[string]*row
	known   []control.Service
	results []control.Reload
	begun   time.Time
	through bool // to the end of probation
}

// NewProgress is the progress of reload, start, stop, restart or signal of these
// services. Others are added as they turn up.
func NewProgress(what string, names []string, now time.Time) *Progress {
	p := &Progress{what: what, begun: now, index: make(map[string]*row)}
	for _, name := range names {
		p.row(name)
	}
	return p
}

// Know tells how the services were before it was asked for.
func (p *Progress) Know(st control.Status) {
	p.known = st.Services
	for _, svc := range p.known {
		if r := p.index[svc.Name]; r != nil {
			r.know(svc)
		}
	}
}

// ThroughProbation says that the command waits until what is promoted cannot be taken
// back any more.
func (p *Progress) ThroughProbation() {
	p.through = true
	for _, r := range p.rows {
		r.waits = true
	}
}

// ID is the number of the request, 0 while that is not known.
func (p *Progress) ID() uint64 { return p.id }

// Results are the final answers of hupwatch to what was asked for.
func (p *Progress) Results() []control.Reload { return p.results }

// Add notes what happened.
func (p *Progress) Add(e control.Event) {
	if p.id == 0 && len(e.Reloads) > 0 {
		p.id = e.Reloads[0]
	}
	if e.Service != "" {
		p.row(e.Service).add(e)
	}
	if e.Reload == nil {
		return
	}
	p.results = append(p.results, *e.Reload)
	p.id = cmp.Or(p.id, e.Reload.ID)
	for _, s := range e.Reload.Services {
		if r := p.row(s.Name); s.Result != "" {
			r.end(s)
		}
	}
}

func (p *Progress) row(name string) *row {
	if r := p.index[name]; r != nil {
		return r
	}
	r := &row{name: name, step: stepWaiting, waits: p.through}
	p.rows, p.index[name] = append(p.rows, r), r
	if i := slices.IndexFunc(p.known, func(svc control.Service) bool { return svc.Name == name }); i >= 0 {
		r.know(p.known[i])
	}
	return r
}

// Lines show it in at most so many lines, 0 for any number: a line for each
// service, and beneath it why it failed. If that is too much, the services at
// rest are only counted, and failures are told in a line.
func (p *Progress) Lines(now time.Time, s Style, height int) []string {
	lines := p.under(now, s, everyRow, true)
	for _, less := range []struct {
		shown   func(*row) bool
		stories bool
	}{{everyRow, false}, {restless, true}, {restless, false}} {
		if height <= 0 || len(lines) <= height {
			return lines
		}
		lines = p.under(now, s, less.shown, less.stories)
	}
	if height > 0 && len(lines) > height { // the last line is the summary
		lines = slices.Concat(lines[:height-1], lines[len(lines)-1:])
	}
	return lines
}

// under is one way to show it while it is under way.
func (p *Progress) under(now time.Time, s Style, shown func(*row) bool, stories bool) []string {
	lines, hidden := p.list(now, s, shown, stories)
	text := fmt.Sprintf("%s: under way for %s", p.name(), span(now.Sub(p.begun)))
	if len(hidden) > 0 {
		text += ", beside these: " + countText(hidden)
	}
	if p.heldUp() {
		text += "; Ctrl-C leaves it waiting"
		if p.what == control.VerbReload {
			text += ", --timeout limits that"
		}
	}
	return append(lines, s.paint(dim, fit(text, s.Width)))
}

// heldUp reports whether all that is left waits for other services.
func (p *Progress) heldUp() bool {
	waits := false
	for _, r := range p.rows {
		switch {
		case r.outcome != nil && len(r.drains) == 0 && !r.onProbation():
		case r.outcome == nil && r.awaits != "":
			waits = true
		default:
			return false
		}
	}
	return waits
}

// Last shows it as it stays on the screen when all is over. What went well is
// only counted if it is more than the screen holds.
func (p *Progress) Last(now time.Time, s Style, height int) []string {
	shown := everyRow
	if height > 0 && len(p.rows) >= height {
		shown = restless
	}
	lines, _ := p.list(now, s, shown, true)
	return append(lines, paintAll(s, bold, Wrap(p.Summary(now), s.Width))...)
}

func everyRow(*row) bool { return true }

func restless(r *row) bool { return r.moving() || r.bad() }

func (p *Progress) list(now time.Time, s Style, shown func(*row) bool, stories bool) (lines []string, hidden map[string]int) {
	const widest = 24

	wide := 0
	for _, r := range p.rows {
		wide = min(max(wide, cells(r.name)), widest)
	}
	hidden = make(map[string]int)
	for _, r := range p.rows {
		word, c := r.word()
		if !shown(r) {
			hidden[word]++
			continue
		}
		detail := r.detail(now)
		if stories && r.bad() && len(r.drains) == 0 {
			detail = p.servesOn(r)
		}
		line := pad(fit(Safe(r.name), wide), wide) + gap + s.paint(c, pad(word, 11)) + gap + detail
		lines = append(lines, strings.TrimRight(fit(line, s.Width), " "))
		if stories && r.bad() {
			lines = append(lines, indent("    ", r.outcome.story(s.room(4)))...)
		}
		if stories {
			lines = append(lines, indent("    ", paintAll(s, yellow, r.under(s.room(4))))...)
		}
	}
	return lines, hidden
}

// servesOn says what serves after a failure.
func (p *Progress) servesOn(r *row) string {
	switch {
	case r.outcome.result == control.ResultPartial && r.done > 0 && r.many > 1:
		return fmt.Sprintf("%d of %d instances have the new release", r.done, r.many)
	case r.outcome.generation == 0, r.outcome.result == control.ResultFailed:
		return ""
	}
	return generationText(0, r.outcome.generation) + " serves"
}

// name is what was asked for, and its number.
func (p *Progress) name() string {
	if p.id == 0 || len(p.results) > 1 { // several requests have several numbers
		return p.what
	}
	return fmt.Sprintf("%s %d", p.what, p.id)
}

// underWay is the word for services without a result.
const underWay = "under way"

// Summary says in a line what it came to.
func (p *Progress) Summary(now time.Time) string {
	if slices.ContainsFunc(p.results, func(r control.Reload) bool { return !r.Done }) {
		return p.name() + ": under way; to see what becomes of it: hupwatch status, hupwatch events"
	}
	counts := make(map[string]int)
	var bad []string
	for _, r := range p.rows {
		if r.outcome == nil {
			if len(p.results) == 0 {
				counts[underWay]++
			}
			continue
		}
		counts[r.outcome.result]++
		if r.bad() {
			bad = append(bad, Safe(r.name))
		}
	}
	in := ", in "
	if counts[underWay] > 0 {
		in = ", after "
	}
	text := p.name() + ": " + cmp.Or(countText(counts), "nothing to do") + in + took(now.Sub(p.begun).Seconds())
	if len(bad) > 0 {
		text += "; not " + p.done() + ": " + strings.Join(bad, ", ")
	}
	return text
}

// done is what was to become of the services.
func (p *Progress) done() string {
	if p.what == control.VerbReload {
		return "reloaded"
	}
	return "done"
}
