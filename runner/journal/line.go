package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"hupwatch/services/lifecycle"
)

// The file begins with header. Then comes what is remembered, a request or an
// entry a line; then how many of the events after it are already part of that;
// then the events.
const (
	header        = `{"hupwatch_journal":1}` + "\n"
	requestPrefix = `{"request":`
	reloadPrefix  = `{"reload":`
	pastPrefix    = `{"past":`
	eventPrefix   = `{"seq":`
)

// typical is how long the line of an entry usually is.
const typical = 320

// unbelievable reports whether this cannot be an id: a damaged file must not make the
// numbers run out.
func unbelievable(id uint64) bool { return id == 0 || id > 1<<53 }

var errLine = errors.New("not a line of a journal")

// record is a line that is no event.
type record struct {
	Request *request `json:"request,omitempty"`
	Reload  *entry   `json:"reload,omitempty"`
}

// past is the line between what is remembered and the events. Past is how many of the
// events are part of that already, Latest is when the last of these was.
type past struct {
	Past   int    `json:"past"`
	LastID uint64 `json:"last_id"`
	Latest int64  `json:"latest"`
}

// lines returns what is remembered, as the lines of a file up to that of past.
func (f *fold) lines() ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	for _, q := range f.requests {
		if err := out.Encode(record{Request: q}); err != nil {
			return nil, fmt.Errorf("encode request %d: %w", q.ID, err)
		}
	}
	// The oldest of each service come first: pushing them one after the other makes
	// the same history again.
	text := slices.Grow(b.Bytes(), typical*(len(f.services)+len(f.requests)))
	for _, q := range f.requests {
		for _, r := range q.entries {
			if r.old && f.firstKnown(r) == q {
				text = appendEntry(text, r)
			}
		}
	}
	var history []*entry
	for _, r := range f.services {
		for history = history[:0]; r != nil; r = r.before {
			history = append(history, r)
		}
		for _, r := range slices.Backward(history) {
			text = appendEntry(text, r)
		}
	}
	return text, nil
}

// firstKnown returns the first request that an entry answers and that is still known.
func (f *fold) firstKnown(r *entry) *request {
	for _, id := range r.ids() {
		if q := f.request(id); q != nil {
			return q
		}
	}
	return nil
}

// reader makes a fold from the lines of a file.
type reader struct {
	fold  *fold
	known map[string]string // so that strings that are the same are one
	begun bool              // the events have begun
	past  int               // how many more of them are part of what was read
}

// read takes a line.
func (r *reader) read(line []byte) error {
	if bytes.HasPrefix(line, []byte(eventPrefix)) {
		return r.event(line)
	}
	if r.begun {
		return errLine
	}
	if bytes.HasPrefix(line, []byte(pastPrefix)) {
		return r.marker(line)
	}
	var l record
	switch err := json.Unmarshal(line, &l); {
	case err != nil:
		return err
	case l.Request != nil && !unbelievable(l.Request.ID) && l.Request.Who != nil:
		r.share(&l.Request.Who.By)
		if l.Request.Only != "" {
			l.Request.Names, l.Request.Only = split(l.Request.Only, ","), ""
		}
		r.fold.insert(l.Request)
		return nil
	case l.Reload != nil && l.Reload.Who != nil && l.Reload.Service != "" && !slices.ContainsFunc(l.Reload.ids(), unbelievable):
		r.entry(l.Reload)
		return nil
	}
	return errLine
}

func (r *reader) event(line []byte) error {
	if r.past > 0 {
		r.past--
		return nil
	}
	e, err := parseEvent(line)
	if err != nil {
		return err
	}
	if !r.begun { // the marker is missing, so nobody can say which are known already
		for _, id := range e.Reloads {
			r.fold.lastID = max(r.fold.lastID, id)
		}
		return errLine
	}
	for _, s := range []*string{&e.Service, &e.By, &e.Release, &e.ServingRelease, (*string)(&e.Result)} {
		r.share(s)
	}
	if e.Role == "" {
		e.Role = r.fold.roleOf(&e)
	}
	r.fold.take(&e)
	return nil
}

// marker takes the line where the events begin.
func (r *reader) marker(line []byte) error {
	var p past
	if err := json.Unmarshal(line, &p); err != nil {
		return err
	}
	if p.LastID != 0 && unbelievable(p.LastID) || p.Past > keptEvents {
		return errLine
	}
	r.begun, r.past = true, p.Past
	r.fold.lastID, r.fold.latest = max(r.fold.lastID, p.LastID), p.Latest
	return nil
}

func (r *reader) entry(e *entry) {
	for _, s := range []*string{&e.Service, &e.Release, &e.OldRelease, (*string)(&e.Result)} {
		r.share(s)
	}
	for _, id := range e.ids() {
		r.fold.lastID = max(r.fold.lastID, id)
		q := r.fold.request(id)
		if q == nil {
			continue
		}
		q.entries = append(q.entries, e)
		if *q.Who == *e.Who {
			e.Who = q.Who
		}
	}
	r.fold.push(e)
}

func (r *reader) share(s *string) {
	if same, ok := r.known[*s]; ok {
		*s = same
		return
	}
	r.known[*s] = *s
}

// linesOf are the lines of a text, each without its end.
func linesOf(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(text) {
			if !yield(bytes.TrimSuffix(line, []byte("\n"))) {
				return
			}
		}
	}
}

// appendEntry appends an entry as a line, as encoding/json would, but faster:
// there may be ten thousand.
func appendEntry(b []byte, r *entry) []byte {
	b = appendString(append(b, reloadPrefix+`{"who":{"what":`...), r.Who.What)
	b = append(appendText(b, "by", r.Who.By), '}')
	b = appendText(b, "service", r.Service)
	b = appendNumber(b, "id", int64(r.ID))
	b = appendText(b, "result", string(r.Result))
	b = appendNumber(b, "asked", r.Asked)
	b = appendNumber(b, "begun", r.Begun)
	b = appendNumber(b, "started", r.Started)
	b = appendNumber(b, "promoted", r.Promoted)
	b = appendNumber(b, "signalled", r.Signalled)
	b = appendNumber(b, "ended", r.Ended)
	b = appendNumber(b, "exited", r.Exited)
	b = appendNumber(b, "ready", int64(r.Ready))
	b = appendNumber(b, "drain", int64(r.Drain))
	b = appendText(b, "release", r.Release)
	b = appendText(b, "old_release", r.OldRelease)
	b = appendNumber(b, "generation", int64(r.Generation))
	b = appendNumber(b, "pid", int64(r.PID))
	b = appendNumber(b, "old", int64(r.Old))
	b = appendNumber(b, "instance", int64(r.Instance))
	b = appendNumber(b, "code", int64(r.Code))
	b = appendNumber(b, "draining", int64(r.Draining))
	b = appendNumber(b, "signal", int64(r.Signal))
	b = appendTrue(b, "has_exit", r.HasExit)
	b = appendTrue(b, "killed", r.Killed)
	b = appendTrue(b, "abandoned", r.Abandoned)
	b = appendTrue(b, "cut", r.Cut)
	b = appendTrue(b, "probed", r.Probed)
	b = appendTrue(b, "undoing", r.Undoing)
	b = appendTrue(b, "current", r.Current)
	if r.More != nil {
		if text, err := json.Marshal(r.More); err == nil { // everything in it can be encoded
			b = append(appendKey(b, "more"), text...)
		}
	}
	return append(b, "}}\n"...)
}

// appendEvent appends an event as a line. The keys are the names of the fields,
// which encoding/json finds whatever their case: parseEvent needs nothing else.
func appendEvent(b []byte, e *lifecycle.Event) []byte {
	b = strconv.AppendUint(append(b, eventPrefix...), e.Seq, 10)
	b = e.At.AppendFormat(append(b, `,"at":"`...), time.RFC3339Nano)
	b = append(b, '"')
	b = appendText(b, "kind", string(e.Kind))
	b = appendText(b, "service", e.Service)
	b = appendNumber(b, "instance", int64(e.Instance))
	b = appendNumber(b, "generation", int64(e.Generation))
	b = appendNumber(b, "pid", int64(e.PID))
	b = appendText(b, "role", string(e.Role))
	b = appendList(b, "reloads", e.Reloads, appendID)
	b = appendText(b, "verb", e.Verb)
	b = appendText(b, "cause", string(e.Cause))
	b = appendText(b, "result", string(e.Result))
	b = appendText(b, "reason", e.Reason)
	b = appendText(b, "by", e.By)
	b = appendList(b, "names", e.Names, appendString)
	b = appendText(b, "hook", string(e.Hook))
	b = appendText(b, "path", e.Path)
	b = appendText(b, "version", e.Version)
	b = appendCounts(b, e.Counts)
	b = appendText(b, "config", e.Config)
	b = appendNumber(b, "services", int64(e.Services))
	b = appendNumber(b, "code", int64(e.Code))
	b = appendText(b, "release", e.Release)
	b = appendNumber(b, "serving", int64(e.Serving))
	b = appendText(b, "servingrelease", e.ServingRelease)
	b = appendList(b, "tail", e.Tail, appendString)
	b = appendNumber(b, "signal", int64(e.Signal))
	b = appendExit(b, e.Exit)
	b = appendNumber(b, "elapsed", int64(e.Elapsed))
	b = appendNumber(b, "wait", int64(e.Wait))
	return append(b, "}\n"...)
}

func parseEvent(line []byte) (lifecycle.Event, error) {
	var e lifecycle.Event
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	if slices.ContainsFunc(e.Reloads, unbelievable) {
		return e, errLine
	}
	renew(&e)
	return e, nil
}

func appendKey(b []byte, key string) []byte {
	b = append(b, `,"`...)
	b = append(b, key...)
	return append(b, `":`...)
}

func appendNumber(b []byte, key string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(appendKey(b, key), n, 10)
}

func appendTrue(b []byte, key string, is bool) []byte {
	if !is {
		return b
	}
	return append(appendKey(b, key), "true"...)
}

func appendText(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(appendKey(b, key), s)
}

// appendList appends a list, unless it is empty; one appends an element.
func appendList[T any](b []byte, key string, list []T, one func([]byte, T) []byte) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(appendKey(b, key), '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, v)
	}
	return append(b, ']')
}

func appendID(b []byte, id uint64) []byte { return strconv.AppendUint(b, id, 10) }

func appendCounts(b []byte, counts map[lifecycle.Result]int) []byte {
	if len(counts) == 0 {
		return b
	}
	b = append(appendKey(b, "counts"), '{')
	for i, result := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, string(result)), ':')
		b = strconv.AppendInt(b, int64(counts[result]), 10)
	}
	return append(b, '}')
}

func appendExit(b []byte, e *lifecycle.Exit) []byte {
	if e == nil {
		return b
	}
	b = strconv.AppendInt(append(appendKey(b, "exit"), `{"code":`...), int64(e.Code), 10)
	b = appendNumber(b, "signal", int64(e.Signal))
	b = appendText(b, "reason", e.Reason)
	return append(appendTrue(b, "rest", e.Rest), '}')
}

// appendString appends s in quotes. It is data, whatever is in it: what would end
// the line or the string is escaped, what is no UTF-8 is replaced.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += size
		}
	}
	return append(b, '"')
}
