//go:build linux && amd64

package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// series are the results of several runs of the same thing.
type series []float64

func (s *series) add(d time.Duration) { *s = append(*s, float64(d)/float64(time.Millisecond)) }

func (s series) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	if len(sorted)%2 == 1 {
		return sorted[len(sorted)/2]
	}
	return (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
}

// String is the median and the range it comes from.
func (s series) String() string {
	switch len(s) {
	case 0:
		return ""
	case 1:
		return short(s[0])
	}
	return fmt.Sprintf("%s (%s–%s)", short(s.median()), short(slices.Min(s)), short(slices.Max(s)))
}

// short is a number with three digits.
func short(x float64) string {
	switch {
	case x == float64(int(x)):
		return fmt.Sprintf("%.0f", x)
	case x >= 99.5 || x <= -99.5:
		return fmt.Sprintf("%.0f", x)
	case x >= 9.95 || x <= -9.95:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// row is one line of the table. ours was measured with hupwatch; reference is the same
// without it, and empty if that was not measured.
type row struct {
	what            string
	services        int
	ours, reference series
	goal            goal
}

// goal is what the median is to be at most: a multiple of the reference's, or an
// absolute number.
type goal struct{ times, most float64 }

// outcome says what the goal was, and whether it was met.
func (r row) outcome() (goal, result string) {
	times := 0.0
	if len(r.reference) > 0 && len(r.ours) > 0 {
		times = r.ours.median() / r.reference.median()
		result = fmt.Sprintf("%.2f×", times)
	}
	switch g := r.goal; {
	case g.times > 0:
		return fmt.Sprintf("≤ %s×", short(g.times)), result + verdict(times <= g.times)
	case g.most > 0:
		return "≤ " + short(g.most), result + verdict(r.ours.median() <= g.most)
	}
	return "", result
}

func verdict(met bool) string {
	if met {
		return " met"
	}
	return " MISSED"
}

func header(w io.Writer) {
	fmt.Fprintln(w, "| what | services | hupwatch | reference | goal | result | runs |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|")
}

func (r row) print(w io.Writer) {
	goal, result := r.outcome()
	fmt.Fprintf(w, "| %s | %d | %s | %s | %s | %s | %d |\n", r.what, r.services, r.ours, r.reference, goal, result, len(r.ours))
}
