package screen

import "strings"

// cell is one field of a table.
type cell struct {
	text   string
	colour colour
}

// table is rows of cells in columns, and between them lines that go across.
type table struct {
	header  []string
	entries []entry
	// elastic is the column of paths, which are cut from the left if the rows are
	// too wide. Below least it shrinks only after the first column, which is cut from
	// the right.
	elastic, least int
	// spare are the columns that are left out, one after the other, before a name
	// of usual length is cut.
	spare []int
}

type entry struct {
	cells  []cell
	across []string
}

func (t *table) row(cells ...cell) { t.entries = append(t.entries, entry{cells: cells}) }

func (t *table) across(lines ...string) { t.entries = append(t.entries, entry{across: lines}) }

// gap is between columns.
const gap = "  "

// The least width of a path, of names before other columns are left out (so that they
// can be typed as they stand), and of names after that.
const (
	shortestPath = 10
	wholeName    = 24
	shortestName = 12
)

func (t *table) lines(s Style) []string {
	widths := t.widths(s.Width)
	var head strings.Builder
	for i, name := range t.header {
		if widths[i] > 0 {
			head.WriteString(pad(name, widths[i]) + gap)
		}
	}
	lines := []string{s.paint(bold, fit(strings.TrimRight(head.String(), " "), s.Width))}
	for _, e := range t.entries {
		if e.cells != nil {
			lines = append(lines, fit(t.line(e.cells, widths, s), s.Width))
		}
		lines = append(lines, e.across...)
	}
	return lines
}

func (t *table) line(cs []cell, widths []int, s Style) string {
	var b strings.Builder
	for i, c := range cs {
		if i >= len(widths) || widths[i] == 0 {
			continue
		}
		text := c.text
		switch i {
		case t.elastic:
			text = keepLast(text, widths[i])
		case 0:
			text = fit(text, widths[i])
		}
		b.WriteString(s.paint(c.colour, text))
		if i < len(cs)-1 {
			b.WriteString(strings.Repeat(" ", max(widths[i]-cells(text), 0)) + gap)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// widths are those of the columns: 0 for an empty one. The last cell of a short row
// goes across and makes no column wider.
func (t *table) widths(most int) []int {
	widths := make([]int, len(t.header))
	for _, e := range t.entries {
		for i, c := range e.cells {
			if i < len(e.cells)-1 || len(e.cells) == len(t.header) {
				widths[i] = max(widths[i], cells(c.text))
			}
		}
	}
	total := -len(gap)
	for i, w := range widths {
		if w > 0 {
			widths[i] = max(w, cells(t.header[i]))
			total += widths[i] + len(gap)
		}
	}
	if most <= 0 {
		return widths
	}
	total -= shrink(&widths[t.elastic], total-most, max(t.least, shortestPath))
	total -= shrink(&widths[0], total-most, wholeName)
	for _, column := range t.spare {
		if column == t.elastic {
			total -= shrink(&widths[column], total-most, shortestPath)
		}
		total -= drop(&widths[column], total-most)
	}
	total -= shrink(&widths[0], total-most, shortestName)
	shrink(&widths[t.elastic], total-most, shortestPath)
	return widths
}

// drop leaves a column out if the rows are too wide, and returns what that saves.
func drop(width *int, by int) int {
	if by <= 0 || *width == 0 {
		return 0
	}
	saved := *width + len(gap)
	*width = 0
	return saved
}

// shrink takes so much from a width, but leaves the least, and returns what it
// took.
func shrink(width *int, by, least int) int {
	by = max(min(by, *width-least), 0)
	*width -= by
	return by
}
