package screen

import (
	"fmt"
	"strings"

	"hupwatch/runner/control"
)

// Log shows one line of output. With a width for names it begins with the name of the
// service. If raw, the line is shown as it was written, whatever is in it.
func Log(l control.Line, names int, raw bool, s Style) string {
	text := l.Text
	if !raw {
		text = Safe(strings.TrimRight(text, "\r"))
	}
	before := ""
	if names > 0 {
		before = s.paint(cyan, pad(Safe(l.Service), names)+" |") + " "
	}
	if l.Lost > 0 {
		return before + s.paint(dim, fmt.Sprintf("(%s lost)", plural(l.Lost, "line"))) + "\n" + before + text
	}
	return before + text
}
