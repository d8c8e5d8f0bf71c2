package screen

import (
	"fmt"
	"slices"
	"strings"
)

// What is drawn between beginDrawing and endDrawing appears at once, on terminals
// that know them.
const (
	beginDrawing = "\x1b[?2026h"
	endDrawing   = "\x1b[?2026l"
	eraseLine    = "\x1b[K"
	eraseBelow   = "\x1b[J"
)

// Frame is the last lines on a terminal, redrawn in place.
type Frame struct{ shown []string }

// Redraw returns what turns the lines shown before into these. It is empty if
// they are the same.
func (f *Frame) Redraw(lines []string, width int) string {
	if f.shown != nil && slices.Equal(f.shown, lines) {
		return ""
	}
	up := 0
	for _, line := range f.shown { // a line takes more rows once the terminal is narrower
		up += max((cells(line)+width-1)/width, 1)
	}
	f.shown = lines
	var b strings.Builder
	b.WriteString(beginDrawing)
	if up > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA", up)
	}
	draw(&b, lines, width)
	b.WriteString(eraseBelow + endDrawing)
	return b.String()
}

// draw writes lines over others, without erasing what is drawn again anyway.
func draw(b *strings.Builder, lines []string, width int) {
	for _, line := range lines {
		b.WriteString(line)
		if cells(line) < width { // else the cursor is still on the last letter
			b.WriteString(eraseLine)
		}
		b.WriteString("\n")
	}
}

// OpenPage comes before the pages, and ClosePage after them. It moves up what was on
// the terminal, out of the way, and hides the cursor.
func OpenPage(height int) string { return "\x1b[?25l" + strings.Repeat("\n", height-1) }

// ClosePage shows the cursor again, below the page and the ^C of whoever ended it.
func ClosePage() string { return "\x1b[?25h\n" }

// Page returns what shows the lines from the top of the terminal on, as many as
// there is room for.
func Page(lines []string, width, height int) string {
	if room := max(height-1, 1); len(lines) > room {
		more := fmt.Sprintf("%d more lines", len(lines)-room+1)
		lines = append(slices.Clone(lines[:room-1]), fit(more, width))
	}
	var b strings.Builder
	b.WriteString(beginDrawing + "\x1b[H")
	draw(&b, lines, width)
	b.WriteString(eraseBelow + endDrawing)
	return b.String()
}
