package control

import (
	"fmt"
	"strings"
	"time"
)

// Time is a moment in JSON: RFC 3339 with milliseconds, empty for none.
type Time struct{ time.Time }

// layout is RFC 3339 with milliseconds.
const layout = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte(`""`), nil
	}
	text := append(make([]byte, 0, len(layout)+2), '"')
	return append(t.AppendFormat(text, layout), '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(text []byte) error {
	s := strings.Trim(string(text), `"`)
	if s == "" || s == "null" {
		t.Time = time.Time{}
		return nil
	}
	parsed, err := time.Parse(layout, s)
	if err != nil {
		return fmt.Errorf("read time %s: %w", s, err)
	}
	t.Time = parsed
	return nil
}
