package journal

import "testing"

// Rewrite writes the file anew, as when it has grown beyond need.
func (j *Journal) Rewrite(t *testing.T) {
	t.Helper()
	if err := j.rewrite(); err != nil {
		t.Fatal(err)
	}
}
