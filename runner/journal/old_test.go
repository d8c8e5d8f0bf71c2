package journal_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hupwatch/runner/journal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A hupwatch that is upgraded finds what the one before has written, when events had no
// fields of their own for names, hooks, paths and roles; also one that was killed.
func TestJournalOfAnOlderVersionIsRead(t *testing.T) {
	for _, name := range []string{"live", "closed"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata/before-fields", name+".journal"))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			got := remembered(open(t, path))
			golden := filepath.Join("testdata/before-fields", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("it is remembered as\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// remembered is all that the journal has of the services and requests of the files.
func remembered(j *journal.Journal) string {
	var b strings.Builder
	for _, service := range []string{"db", "pair", "web"} {
		for _, r := range j.History(service) {
			fmt.Fprintf(&b, "%s %v %s by %q: %s %q, generation %d in %s, old %d in %s, instance %d, ready %s, drained %s, exit %+v, back %+v, tail %q\n",
				service, r.IDs, r.What, r.By, r.Result, r.Reason, r.Generation, r.Release, r.Old, r.OldRelease, r.Instance, r.Ready, r.Drain, exitOf(r.Exit), backOf(r.RolledBack), r.Tail)
		}
	}
	for id := range uint64(9) {
		if q, ok := j.Request(id); ok {
			fmt.Fprintf(&b, "%s %d only %q by %q: done %v, counts %v, %d services\n", q.What, q.ID, q.Only, q.By, q.Done, q.Counts, len(q.Services))
		}
	}
	return b.String()
}

func exitOf(e *journal.Exit) string {
	if e == nil {
		return "none"
	}
	return fmt.Sprintf("%d %s %s", e.Code, e.Signal, e.Reason)
}

func backOf(r *journal.RollBack) string {
	if r == nil {
		return "none"
	}
	return fmt.Sprintf("%s to %s, generation %d", r.Reason, r.Release, r.Generation)
}
