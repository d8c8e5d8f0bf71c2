package screen

import (
	"cmp"
	"fmt"
	"strings"

	"hupwatch/runner/control"
)

// Event shows in one line one thing that happened.
func Event(e control.Event, s Style) string {
	text := stepText(e, generationText)
	if e.Service == "" || text == "" {
		text = otherText(e)
	}
	if e.Service != "" {
		text = s.paint(bold, Safe(e.Service)) + ": " + text
	}
	line := s.paint(dim, e.At.Local().Format("2006-01-02 15:04:05")) + " " + text
	if e.Lost > 0 {
		line = s.paint(dim, fmt.Sprintf("(%s lost)", plural(e.Lost, "event"))) + "\n" + line
	}
	return line
}

// otherText words the less frequent events, with the fields that they bring.
func otherText(e control.Event) string {
	text := words(e.Kind)
	if e.Generation > 0 {
		text += ", " + generationText(e.Instance, e.Generation)
	}
	for _, part := range []string{
		cmp.Or(words(e.Result), countText(e.Counts)), signalText(e.Signal), by(e.By), notDone(e), Safe(e.Path), Safe(e.Version), Safe(e.Error),
	} {
		if part != "" {
			text += ", " + part
		}
	}
	if e.WaitSeconds > 0 && e.WaitSeconds < never {
		text += ", in " + took(e.WaitSeconds)
	}
	if len(e.Reloads) > 0 && e.Service == "" {
		what := cmp.Or(Safe(e.Verb), Safe(e.Cause), "reload") // the word in text for any request
		text = strings.Replace(text, "reload", fmt.Sprintf("%s %d", what, e.Reloads[0]), 1)
	}
	return text
}

// notDone names the services for which what was asked was not done.
func notDone(e control.Event) string {
	if len(e.Services) == 0 || e.Kind != control.KindRequestDone {
		return ""
	}
	return "not done: " + Safe(strings.Join(e.Services, ","))
}

func signalText(signal string) string {
	if signal == "" {
		return ""
	}
	return "signal " + Safe(signal)
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return "by " + Safe(who)
}
