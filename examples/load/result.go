package load

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Result is what a load has seen.
type Result struct {
	answers    []Answer
	idleClosed int
}

// Answers yields every answer, in the order in which the requests were begun.
func (r *Result) Answers() iter.Seq[Answer] {
	return slices.Values(r.answers)
}

// After yields the answers to the requests begun after t. They show which release
// serves: either release may answer a request begun earlier.
func (r *Result) After(t time.Time) iter.Seq[Answer] {
	return func(yield func(Answer) bool) {
		for _, a := range r.answers {
			if a.Begun.After(t) && !yield(a) {
				return
			}
		}
	}
}

// Total is the number of requests of these kinds, or of all of them.
func (r *Result) Total(kinds ...Kind) int {
	return r.count(kinds, func(Answer) bool { return true })
}

// Failures is the number of requests of these kinds, or of all of them, that
// got anything but a whole answer with status 200.
func (r *Result) Failures(kinds ...Kind) int {
	return r.count(kinds, func(a Answer) bool { return a.Class != OK })
}

// Count is the number of requests of that class, of these kinds or of all.
func (r *Result) Count(class Class, kinds ...Kind) int {
	return r.count(kinds, func(a Answer) bool { return a.Class == class })
}

// IdleClosed is how often the server closed a keepalive connection between two
// requests, which is its right and no failure.
func (r *Result) IdleClosed() int {
	return r.idleClosed
}

// MaxLatency is the longest that a request of these kinds, or of all of them,
// took to be answered with OK.
func (r *Result) MaxLatency(kinds ...Kind) time.Duration {
	var longest time.Duration
	for _, a := range r.answers {
		if a.Class == OK && among(a, kinds) {
			longest = max(longest, a.Latency())
		}
	}
	return longest
}

// String is one line for each kind that asked, and below it one for the first
// failure of each class.
func (r *Result) String() string {
	var b strings.Builder
	for _, kind := range []Kind{Fresh, KeepAlive, Slow} {
		if total := r.Total(kind); total > 0 {
			fmt.Fprintf(&b, "%-9s %6d requests  %4d failures  max %s\n",
				kind, total, r.Failures(kind), r.MaxLatency(kind).Round(time.Millisecond))
		}
	}
	for _, class := range Failed {
		if i := slices.IndexFunc(r.answers, func(a Answer) bool { return a.Class == class }); i >= 0 {
			a := r.answers[i]
			fmt.Fprintf(&b, "%-9s %6d times, first %s at %s: %v\n",
				class, r.Count(class), a.Kind, a.Begun.Format("15:04:05.000"), a.Err)
		}
	}
	if r.idleClosed > 0 {
		fmt.Fprintf(&b, "%-9s %6d times, no failure\n", "idle end", r.idleClosed)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (r *Result) sort() {
	slices.SortStableFunc(r.answers, func(a, b Answer) int { return a.Begun.Compare(b.Begun) })
}

func (r *Result) count(kinds []Kind, wants func(Answer) bool) int {
	n := 0
	for _, a := range r.answers {
		if among(a, kinds) && wants(a) {
			n++
		}
	}
	return n
}

// among reports whether the answer is of one of these kinds. No kinds are all.
func among(a Answer, kinds []Kind) bool {
	return len(kinds) == 0 || slices.Contains(kinds, a.Kind)
}
