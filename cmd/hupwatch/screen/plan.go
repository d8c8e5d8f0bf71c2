package screen

import (
	"slices"
	"strings"

	"hupwatch/runner/control"
)

// Plan shows what a HUP would do now.
func Plan(p control.Plan, s Style) []string {
	if len(p.Problems) > 0 {
		lines := []string{s.paint(red, "A reload would change nothing, there are problems:")}
		for _, problem := range p.Problems {
			lines = append(lines, indent("  ", Wrap(Safe(problem), s.room(2)))...)
		}
		return lines
	}
	if len(p.Services) == 0 {
		return []string{"no services"}
	}
	t := table{header: []string{"NAME", "ACTION", "WHY"}, elastic: 2}
	wide := 0
	for _, svc := range p.Services {
		wide = max(wide, cells(svc.Name))
	}
	beside := max(wide, len("NAME")) + len(gap) + len("ACTION") + len(gap)
	for _, svc := range p.Services {
		why := Wrap(whyText(svc), s.room(beside))
		t.row(cell{text: Safe(svc.Name)}, cell{words(svc.Action), ofAction(svc.Action)}, cell{text: why[0]})
		t.across(indent(strings.Repeat(" ", beside), why[1:])...)
		for _, note := range svc.Notes {
			t.across(indent("  ", paintAll(s, yellow, Wrap(Safe(note), s.room(2))))...)
		}
		if svc.Error != "" {
			t.across(indent("  ", paintAll(s, red, Wrap("it would be kept old: "+Safe(svc.Error), s.room(2))))...)
		}
	}
	return t.lines(s)
}

// whyText is the reason, and the changed keys that the reason does not name.
func whyText(svc control.PlanService) string {
	text := Safe(svc.Why)
	named := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
	unnamed := slices.DeleteFunc(slices.Clone(svc.Changed), func(key string) bool { return slices.Contains(named, key) })
	if len(unnamed) > 0 {
		text = strings.TrimPrefix(text+" ("+Safe(strings.Join(unnamed, ", "))+")", " ")
	}
	return text
}

func ofAction(action string) colour {
	switch action {
	case control.ActionStart:
		return green
	case control.ActionStop:
		return red
	case control.ActionSkip:
		return dim
	}
	return yellow
}

func paintAll(s Style, c colour, lines []string) []string {
	painted := make([]string, len(lines))
	for i, line := range lines {
		painted[i] = s.paint(c, line)
	}
	return painted
}
