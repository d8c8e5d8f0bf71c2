package output

import (
	"fmt"
	"regexp"
	"slices"
)

// How much of an output is shown if not all of it fits.
const (
	endLines   = 8 // the last ones, whatever they say
	mostCauses = 5
)

// colours matches a program's colour codes in the form in which they are shown.
var colours = regexp.MustCompile(`\\x1b\[[0-9;]*m`)

// names are lines that name the cause of a failure: what exceptions of Python, Ruby,
// Java and JavaScript, a panic of Go, and the loggers of servers begin with.
var names = regexp.MustCompile(`^(?:Uncaught |Traceback: |! .*)?[\w.$:]*(?:Error|Exception|Failure|Exit)\b(?: \[\w+\])?(?:: |$)|` +
	`\b(?:[A-Z]\w*Error|[A-Z]\w*Exception): |` +
	`^(?:panic|fatal error|Fatal error|PHP Fatal error|runtime error|signal \w+): |` +
	`^Exception in thread |^Caused by: |^! |` +
	`\b(?:FATAL|CRITICAL|EMERG|ALERT)\b|\[(?:emerg|alert|crit)\]`)

// hints are lines that may name the cause. They count if there are no names.
var hints = regexp.MustCompile(`(?i)\berror\b|\[error\]|\b(?:cannot|can't|could not|unable to|failed|no such|not found|denied|refused|invalid|unknown)\b`)

// numbers differ between lines that say the same: times, pids.
var numbers = regexp.MustCompile(`[0-9]+`)

// choose returns what of the lines fits into a tail: the end and the lines before it
// that name the cause, each once. In between it says how many were left out.
func choose(lines []string) []string {
	last := clip(lines)
	if len(last) == len(lines) {
		return lines
	}
	causes := matching(lines, names)
	if len(causes) == 0 {
		causes = matching(lines, hints)
	}
	if len(causes) == 0 || causes[0] >= len(lines)-len(last) {
		return last
	}
	if len(causes) > mostCauses { // the first says how it began, the last ones what came of it
		causes = append(causes[:1], causes[len(causes)-mostCauses+1:]...)
	}
	shown := make([]bool, len(lines))
	show := func(i int) bool { // whether it is shown
		if i < 0 || shown[i] {
			return i >= 0
		}
		shown[i] = true
		shown[i] = fits(lines, shown)
		return shown[i]
	}
	for _, i := range causes {
		show(i)
	}
	for i := len(lines) - 1; i >= len(lines)-endLines; i-- {
		show(i)
	}
	for _, i := range slices.Backward(causes) { // the line before, often the code that failed
		show(i - 1)
	}
	for i := len(lines) - endLines; show(i); i-- { // as much before the end as there is room for
		continue
	}
	return withGaps(lines, shown)
}

// Brief returns so many lines of a tail at most: its end or, if no line there names
// the cause, the last lines that do.
func Brief(tail []string, most int) []string {
	end := max(len(tail)-most, 0)
	causes := matching(tail, names)
	if len(causes) == 0 || causes[len(causes)-1] >= end {
		return tail[end:]
	}
	var brief []string
	for _, i := range causes[max(len(causes)-most, 0):] {
		brief = append(brief, tail[i])
	}
	return brief
}

// fits reports whether what is to be shown is short enough for a tail.
func fits(lines []string, shown []bool) bool {
	kept, size := withGaps(lines, shown), 0
	for _, line := range kept {
		size += len(line)
	}
	return len(kept) <= tailLines && size <= tailBytes
}

// mostOfOne is how much of a line is shown if there are others.
const mostOfOne = 512

// matching returns which lines match. Of those that say the same, it returns the first.
func matching(lines []string, pattern *regexp.Regexp) []int {
	var found []int
	said := make(map[string]bool)
	for i, line := range lines {
		line = colours.ReplaceAllString(line, "")
		same := numbers.ReplaceAllString(line, "0")
		if !said[same] && pattern.MatchString(line) {
			said[same] = true
			found = append(found, i)
		}
	}
	return found
}

// withGaps returns the lines that are shown. It says in between how many are not.
func withGaps(lines []string, shown []bool) []string {
	var kept []string
	missing := 0
	for i, line := range lines {
		if !shown[i] {
			missing++
			continue
		}
		if missing > 0 {
			kept = append(kept, fmt.Sprintf("[... %d lines]", missing))
			missing = 0
		}
		kept = append(kept, clipLine(line, mostOfOne))
	}
	return kept
}
