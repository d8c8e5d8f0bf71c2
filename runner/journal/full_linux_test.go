package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/runner/journal"
	"hupwatch/services"
)

func TestFullDiskIsToldOnceAndMadeUpForLater(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "journal")
	var told []error
	j := journal.Open(path, func(err error) { told = append(told, err) })
	t.Cleanup(func() { j.Close() })

	s := newStory()
	fill := func(reloads int) {
		for range reloads {
			before := len(s.events)
			s.tell(reload("web", s.seq+1, int(s.seq)+2)...)
			j.Record(s.events[before:])
		}
	}
	fill(10)
	ballast := filepath.Join(dir, "ballast")
	os.WriteFile(ballast, make([]byte, 8<<20), 0o600) // as much as there is room for
	for name, reloads := range map[string]int{"few": 50, "more than memory has room for": 700} {
		told = nil
		fill(reloads)
		if len(told) != 1 || !errors.Is(told[0], unix.ENOSPC) {
			t.Errorf("%s: told %v", name, told)
		}
		if events := j.Past(); events[len(events)-1].Seq != s.seq {
			t.Errorf("%s: it does not go on in memory", name)
		}
		j = reopened(t, j, path, ballast, s, &told)
	}
}

// reopened makes room, lets the journal find that, and returns another one of
// the same file, with the room taken again.
func reopened(t *testing.T, j *journal.Journal, path, ballast string, s *story, told *[]error) *journal.Journal {
	t.Helper()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Minute)
	s.tell(services.Event{Kind: services.KindAdvice})
	j.Record(s.events[len(s.events)-1:])
	j = journal.Open(path, func(err error) { *told = append(*told, err) })
	t.Cleanup(func() { j.Close() })
	events := j.Past()
	if len(events) < min(len(s.events), 1000) || events[len(events)-1].Seq != s.seq {
		t.Errorf("%d events of %d came to the disk", len(events), len(s.events))
	}
	for i := range events[1:] {
		if events[i+1].Seq != events[i].Seq+1 {
			t.Fatalf("after event %d comes %d", events[i].Seq, events[i+1].Seq)
		}
	}
	if len(j.History("web")) != 10 {
		t.Errorf("the history is %+v", j.History("web"))
	}
	os.WriteFile(ballast, make([]byte, 8<<20), 0o600)
	return j
}
