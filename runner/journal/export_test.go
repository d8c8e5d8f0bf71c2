package journal

import (
	"bytes"
	"encoding/json"
	"testing"
)

// Rewrite writes the file anew, as when it has grown beyond need.
func (j *Journal) Rewrite(t *testing.T) {
	t.Helper()
	if err := j.rewrite(); err != nil {
		t.Fatal(err)
	}
}

// Entry is what is kept of a reload.
type Entry = entry

// Kept returns what the file makes of it.
func (r *entry) Kept(t *testing.T) Entry {
	t.Helper()
	line := appendEntry(nil, r)
	if !bytes.HasSuffix(line, []byte("\n")) || bytes.Count(line, []byte("\n")) != 1 {
		t.Errorf("it is not one line: %q", line)
	}
	var l record
	if err := json.Unmarshal(line, &l); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return *l.Reload
}
