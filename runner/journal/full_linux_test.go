package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/runner/journal"
	"hupwatch/services/lifecycle"
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
	for _, reloads := range []int{50, 700} {          // few, and more than are kept in memory
		told = nil
		fill(reloads)
		if len(told) != 1 || !errors.Is(told[0], unix.ENOSPC) {
			t.Errorf("%d: told %v", reloads, told)
		}
		if left, _ := filepath.Glob(path + ".*"); left != nil {
			t.Errorf("%d: it left %v behind", reloads, left)
		}
		if events := j.Past().Events(); events[len(events)-1].Seq != s.seq {
			t.Errorf("%d: it does not go on in memory", reloads)
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
	s.tell(lifecycle.Event{Kind: lifecycle.KindAdvice}, lifecycle.Event{Kind: lifecycle.KindAdvice})
	j.Record(s.events[len(s.events)-2 : len(s.events)-1])
	j.Record(s.events[len(s.events)-1:])
	asked := j.LastID()
	j = journal.Open(path, func(err error) { *told = append(*told, err) })
	t.Cleanup(func() { j.Close() })
	events := j.Past().Events()
	if len(events) < min(len(s.events), 1000) || events[len(events)-1].Seq != s.seq {
		t.Errorf("%d events of %d came to the disk", len(events), len(s.events))
	}
	for i := range events[1:] {
		if events[i+1].Seq != events[i].Seq+1 {
			t.Fatalf("after event %d comes %d", events[i].Seq, events[i+1].Seq)
		}
	}
	if len(j.History("web")) != 10 || j.LastID() != asked {
		t.Errorf("the last id is %d, and the history is %+v", j.LastID(), j.History("web"))
	}
	if s.seq > 1000 {
		for i := range 200 { // which is more than the last thousand events
			id := s.events[len(s.events)-10-8*i].Reloads[0]
			if q, ok := j.Request(id); !ok || len(q.Services) != 1 {
				t.Fatalf("the request %d of those before is %+v", i, q)
			}
		}
	}
	os.WriteFile(ballast, make([]byte, 8<<20), 0o600)
	return j
}
