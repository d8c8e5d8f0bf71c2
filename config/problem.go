package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration, said so that a
// person can find and mend it.
type Problem struct {
	// File is as the configuration names it; Line counts from 1 and is 0 if
	// the file could not be read at all.
	File string
	Line int
	// Key is the key's full path, like services.web.listen[0].mode. It is empty
	// if the problem is not about a key.
	Key string
	// Text says what is wrong and, mostly, the remedy.
	Text string
	// Warning says that the configuration works nevertheless.
	Warning bool
}

// String returns the problem as FILE:LINE: KEY: TEXT, without the parts that
// are not known.
func (p Problem) String() string {
	var b strings.Builder

	if p.File != "" {
		b.WriteString(p.File)
		b.WriteByte(':')
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:", p.Line)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}

	b.WriteString(p.Text)
	return b.String()
}

// Problems are all problems of a configuration, in the order of the files and
// of their lines. They can be used as an error.
type Problems []Problem //nolint:errname // they are problems first, and an error only at times

// Error returns the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Errors returns those that are no warnings, as Problem.String has them.
func (ps Problems) Errors() []string {
	var texts []string
	for _, p := range ps {
		if !p.Warning {
			texts = append(texts, p.String())
		}
	}
	return texts
}

// fatal reports whether there is any problem beyond the warnings.
func (ps Problems) fatal() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return !p.Warning })
}

// finding is a problem whose line has not been looked up yet: scanning the text
// for it is only worth it once there is something to report.
type finding struct {
	source *source
	path   string
	line   int
	text   string
	warn   bool
}

func (f finding) problem() Problem {
	line := f.line
	if line == 0 {
		line = f.source.line(f.path)
	}
	return Problem{File: f.source.name, Line: line, Key: f.path, Text: f.text, Warning: f.warn}
}

// problems turns findings into problems, in the order of sources and lines.
func problems(found []finding) Problems {
	ordered := make([]Problem, len(found))
	rank := make(map[string]int)

	for i, f := range found {
		ordered[i] = f.problem()
		rank[f.source.name] = f.source.rank
	}

	slices.SortFunc(ordered, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(rank[a.File], rank[b.File]),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Text, b.Text),
		)
	})
	return ordered
}
