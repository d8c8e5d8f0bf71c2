// Package screen is what hupwatch's commands show to people: pure functions from
// what a hupwatch says, a clock and a width to lines of text.
//
// hupwatch passes on text from elsewhere, such as the last lines of a broken release.
// So all that it says goes through Safe before it becomes part of a line.
package screen

import "hupwatch/runner/control"

// Style is what the terminal or file that lines are for can show.
type Style struct {
	Colour bool
	// Width is how many cells a line may have, 0 for any number.
	Width int
}

// colour is the code of a terminal for it. The empty one is no colour.
type colour string

const (
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
	bold   colour = "1"
	dim    colour = "2"
)

func (s Style) paint(c colour, text string) string {
	if !s.Colour || c == "" || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// ofState and ofResult are the colours of a state and of a result.
func ofState(state string) colour {
	switch state {
	case control.StateRunning, control.StateDone:
		return green
	case control.StateFailed, control.StateBackoff:
		return red
	case control.StateStopped:
		return dim
	}
	return yellow
}

func ofResult(result string) colour {
	switch result {
	case control.ResultPromoted, control.ResultStarted, control.ResultStopped, control.ResultSignalled:
		return green
	case control.ResultSkipped:
		return dim
	}
	return red
}
