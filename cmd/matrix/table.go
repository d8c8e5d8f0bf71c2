package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"hupwatch/examples/load"
)

// row is what became of one variant of a server.
type row struct {
	server  server
	variant variant
	missing string // the program that is not here
	err     error

	stopSignal string
	over       string // how clients reach it

	results       []*load.Result
	stops         []stop          // of each old generation
	took, drained []time.Duration // from the HUP until then; from then until it was gone
	ready         []time.Duration // from the start of the new generation until it was seen ready
	unclean       []string        // how old generations ended that should not have
	ghosts        int             // answers of a generation that was gone
}

func (r *row) name() string { return r.server.dir + "/" + r.variant.service }

func (r *row) sum(count func(*load.Result) int) int {
	n := 0
	for _, result := range r.results {
		n += count(result)
	}
	return n
}

func (r *row) failures(kinds ...load.Kind) int {
	return r.sum(func(l *load.Result) int { return l.Failures(kinds...) })
}

func (r *row) requests(kinds ...load.Kind) int {
	return r.sum(func(l *load.Result) int { return l.Total(kinds...) })
}

// stop is a stop signal to a generation.
type stop struct {
	at         time.Time
	generation int
}

// drainedRequests is how many slow requests were under way in the old generation at its
// stop signal, as far as they say who answered.
func (r *row) drainedRequests() int {
	return r.sum(func(l *load.Result) int {
		n := 0
		for a := range l.Answers() {
			for _, stop := range r.stops {
				if a.Kind == load.Slow && a.Begun.Before(stop.at) && a.Ended.After(stop.at) && slices.Contains([]int{0, stop.generation}, answeredBy(a)) {
					n++
				}
			}
		}
		return n
	})
}

// reused is how many requests went over a connection that had carried one.
func (r *row) reused() int {
	return r.sum(func(l *load.Result) int {
		n := 0
		for a := range l.Answers() {
			if a.Reused {
				n++
			}
		}
		return n
	})
}

// latency is the longest that a request that was not to be slow took.
func (r *row) latency() time.Duration {
	var longest time.Duration
	for _, result := range r.results {
		longest = max(longest, result.MaxLatency(load.Fresh, load.KeepAlive))
	}
	return longest
}

// lost is how many requests failed, and how.
func (r *row) lost() string {
	total := r.failures()
	if total == 0 {
		return "0"
	}
	var parts []string
	for _, class := range load.Failed {
		if n := r.sum(func(l *load.Result) int { return l.Count(class) }); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, class))
		}
	}
	return fmt.Sprintf("**%d**: %s", total, strings.Join(parts, ", "))
}

// wrong is why this row fails the run, or nil.
func (r *row) wrong(ci bool) error {
	switch {
	case r.err != nil:
		return fmt.Errorf("%s: %w", r.name(), r.err)
	case r.missing != "" && ci:
		return fmt.Errorf("%s: no %s here", r.name(), r.missing)
	case r.missing != "":
		return nil
	case slices.Contains(r.unclean, "killed by signal KILL"):
		return fmt.Errorf("%s: an old generation did not end, and was killed", r.name())
	case r.ghosts > 0:
		return fmt.Errorf("%s: %d answers of a generation that was gone", r.name(), r.ghosts)
	}
	for _, kind := range []load.Kind{load.Fresh, load.KeepAlive, load.Slow} {
		if !r.variant.nature.explains(kind, r.failures(kind), r.requests(kind)) {
			return fmt.Errorf("%s lost %d requests:\n%s", r.name(), r.failures(), r.details())
		}
	}
	return nil
}

// details is all that the load has to say.
func (r *row) details() string {
	var b strings.Builder
	for _, result := range r.results {
		fmt.Fprintln(&b, result)
	}
	for i, stop := range r.stops {
		fmt.Fprintf(&b, "stop signal %d at %s\n", i+1, stop.at.Local().Format("15:04:05.000"))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// summary is a line about the row.
func (r *row) summary() string {
	switch {
	case r.err != nil:
		return "failed"
	case r.missing != "":
		return "no " + r.missing + " here"
	}
	return fmt.Sprintf("%d reloads, lost %s of %d", len(r.stops), r.lost(), r.requests())
}

// table prints the rows, and returns what is wrong with them.
func table(out io.Writer, rows []row, ci bool) error {
	fmt.Fprintln(out, "| server | stop signal | over | lost | new connections | asked to keep alive, of them reused | slow, of them drained | closed while idle | longest, ms | ready, s | HUP to stop signal, s | drain, s |")
	fmt.Fprintln(out, "|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
	var wrong []error
	for i := range rows {
		r := &rows[i]
		r.print(out)
		wrong = append(wrong, r.wrong(ci))
	}
	for i := range rows {
		rows[i].remark(out)
	}
	return errors.Join(wrong...)
}

// remark says what the columns do not.
func (r *row) remark(out io.Writer) {
	if r.failures() > 0 && r.variant.nature.why != "" {
		fmt.Fprintf(out, "\n%s, %s: %s\n", r.variant.title, r.over, r.variant.nature.why)
	}
	if n := len(r.unclean); n > 0 {
		fmt.Fprintf(out, "\n%s: %d of %d old generations %s.\n", r.variant.title, n, len(r.stops), r.unclean[0])
	}
}

func (r *row) print(out io.Writer) {
	title := fmt.Sprintf("[%s](%s)", r.variant.title, r.server.dir)
	switch {
	case r.err != nil:
		fmt.Fprintf(out, "| %s | %s | %s | FAILED | | | | | | | | |\n", title, r.stopSignal, r.over)
		return
	case r.missing != "":
		fmt.Fprintf(out, "| %s | | | not here | | | | | | | | |\n", title)
		return
	}
	fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %d | %d | %s | %s | %s |\n",
		title, r.stopSignal, r.over, r.lost(),
		r.cell(load.Fresh), with(r.cell(load.KeepAlive), r.reused()), with(r.cell(load.Slow), r.drainedRequests()),
		r.sum((*load.Result).IdleClosed), r.latency().Milliseconds(), median(r.ready), median(r.took), median(r.drained))
}

// none is the cell of a kind that was not tried.
const none = "–"

// cell is how many requests of a kind failed, and how many there were.
func (r *row) cell(kind load.Kind) string {
	total := r.requests(kind)
	if total == 0 {
		return none
	}
	return fmt.Sprintf("%d of %d", r.failures(kind), total)
}

// with is a cell and how many of its requests are special.
func with(cell string, special int) string {
	if cell == none {
		return none
	}
	return fmt.Sprintf("%s, %d", cell, special)
}

func median(ds []time.Duration) string {
	if len(ds) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(ds))
	return fmt.Sprintf("%.1f", sorted[len(sorted)/2].Seconds())
}
