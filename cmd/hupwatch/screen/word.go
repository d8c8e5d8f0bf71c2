package screen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hupwatch/runner/control"
	"hupwatch/services/output"
)

// words is a name of the interface as people read it: kept_old is kept old.
func words(name string) string { return Safe(strings.ReplaceAll(name, "_", " ")) }

// exitText says how a process ended.
func exitText(e *control.Exit) string {
	switch {
	case e.Reason != "":
		return Safe(e.Reason)
	case e.Signal != "":
		return "killed by signal " + Safe(e.Signal)
	}
	return fmt.Sprintf("exited with status %d", e.Code)
}

// generationText names a generation.
func generationText(instance, generation int) string {
	if instance > 0 {
		return fmt.Sprintf("instance %d generation %d", instance, generation)
	}
	return fmt.Sprintf("generation %d", generation)
}

// instanceText says which of several instances a text is about.
func instanceText(instance int) string {
	if instance == 0 {
		return ""
	}
	return fmt.Sprintf("instance %d: ", instance)
}

// tailLines are at most so many lines of a tail.
func tailLines(tail []string, most, width int) []string {
	if width > 0 {
		width = max(width-len("| "), 1)
	}
	var lines []string
	for _, line := range output.Brief(tail, most) {
		lines = append(lines, indent("| ", Wrap(Safe(strings.TrimRight(line, "\r\n")), width))...)
	}
	return lines
}

// room is the width that is left after an indent.
func (s Style) room(by int) int {
	if s.Width == 0 {
		return 0
	}
	return max(s.Width-by, 1)
}

// countText lists how many there are of each, the most frequent first.
func countText(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], words(name)))
	}
	return strings.Join(parts, ", ")
}
