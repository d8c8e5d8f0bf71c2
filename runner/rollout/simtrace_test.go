package rollout

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"hupwatch/services/lifecycle"
)

// line is one line of a world's trace. Almost none is ever read, so it keeps
// what happened and is put into words only when somebody wants to know.
type line struct {
	at   lifecycle.Instant
	who  string
	what any   // an input, an effect or an event; nil where args are printed
	args []any // as of Sprintf
}

func (w *world) note(who string, what any) {
	w.trace = append(w.trace, line{at: w.now, who: who, what: what})
}

func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, line{at: w.now, who: format, args: args})
}

func (w *world) tail(n int) string {
	var b strings.Builder
	for _, l := range w.trace[max(0, len(w.trace)-n):] {
		b.WriteString(l.String() + "\n")
	}
	return b.String()
}

func (l line) String() string {
	text := l.who + " " + show(l.what)
	if l.what == nil {
		text = fmt.Sprintf(l.who, l.args...)
	}
	return fmt.Sprintf("%12.6f %s", time.Duration(l.at-bootTime).Seconds(), text)
}

// show prints the set fields of a struct, as far as they are the same in every run.
func show(v any) string {
	if v == nil {
		return ""
	}
	rv := reflect.ValueOf(v)
	var b strings.Builder
	fmt.Fprint(&b, rv.Type().Name())
	for i := range rv.NumField() {
		f := rv.Field(i)
		if f.IsZero() || f.Kind() == reflect.Struct || f.Kind() == reflect.Pointer || f.Kind() == reflect.Interface ||
			f.Kind() == reflect.Map && f.Type().Elem().Kind() == reflect.Struct {
			continue
		}
		fmt.Fprintf(&b, " %s=%v", rv.Type().Field(i).Name, f)
	}
	return b.String()
}
