package journal_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hupwatch/runner/journal"
	"hupwatch/services/lifecycle"
)

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// written returns the path of a journal with two reloads of web in it.
func written(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	s := newStory().tell(begun()).tell(reload("web", 1, 2)...).tell(reload("web", 2, 3)...)
	j.Record(s.events[:1]) // which makes the file; the rest is added to it
	j.Record(s.events[1:])
	return path
}

// troubled opens a journal that has something to complain about, once.
func troubled(t *testing.T, path string) (*journal.Journal, error) {
	t.Helper()
	var told []error
	j := journal.Open(path, func(err error) { told = append(told, err) })
	t.Cleanup(func() { j.Close() })
	if len(told) != 1 {
		t.Fatalf("told %v, want one error", told)
	}
	return j, told[0]
}

func TestTornLastLineIsDropped(t *testing.T) {
	path := written(t)
	whole := read(t, path)
	lines := strings.SplitAfter(whole, "\n")
	begin := len(whole) - len(lines[len(lines)-2])
	for _, cut := range []int{begin + 1, begin + 20, len(whole) - 1} {
		if err := os.WriteFile(path, []byte(whole[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, path)
		if r := last(t, j, "web"); r.IDs[0] != 2 || r.Result != lifecycle.ResultPromoted || !r.Exited.IsZero() {
			t.Errorf("cut at %d: the last reload is %+v", cut, r)
		}
		j.Record(newStory().tell(begun()).events)
		if got := read(t, path); !strings.HasPrefix(got, whole[:begin]+`{"seq":1,`) {
			t.Errorf("cut at %d: the file goes on after half a line: %s", cut, got[begin:])
		}
	}
}

func TestForeignFileIsMovedAside(t *testing.T) {
	for name, foreign := range map[string]string{
		"text": "hello\n", "newer": "{\"hupwatch_journal\":2}\n", "short": "{", "binary": "\x7fELF\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, []byte(foreign), 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := troubled(t, path)
			if !strings.Contains(err.Error(), "journal.bad") || read(t, path+".bad") != foreign {
				t.Errorf("told %v, moved %q", err, read(t, path+".bad"))
			}
			j.Record(newStory().tell(reload("web", 1, 2)...).events)
			if r := last(t, open(t, path), "web"); r.IDs[0] != 1 {
				t.Errorf("the last reload is %+v", r)
			}
		})
	}
}

func TestWhatIsNoFileIsMovedAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	j, _ := troubled(t, path)
	j.Record(newStory().tell(begun()).events)
	if len(open(t, path).Past().Events()) != 1 {
		t.Error("it is not written")
	}
}

func TestEmptyFileIsUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, path)
	s := newStory().tell(reload("web", 1, 2)...)
	j.Record(s.events[:1])
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	j.Record(s.events[1:])
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("it is written anew each time: %v", err)
	}
	if r := last(t, open(t, path), "web"); r.IDs[0] != 1 {
		t.Errorf("the last reload is %+v", r)
	}
}

func TestDamagedLineCostsNothingButItself(t *testing.T) {
	path := written(t)
	whole := read(t, path)
	lines := strings.SplitAfter(whole, "\n")
	lines[6] = strings.Repeat("\x00", 50) + "\n" // within the first reload
	damaged := strings.Join(lines, "")
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := troubled(t, path)
	if !strings.Contains(err.Error(), "line that ends at byte") || read(t, path+".bad") != damaged {
		t.Errorf("told %v", err)
	}
	j.Record(newStory().tell(begun()).events)
	j = open(t, path)
	if h := j.History("web"); len(h) != 2 || h[0].IDs[0] != 2 || j.LastID() != 2 {
		t.Errorf("the history is %+v", h)
	}
}

func TestFileThatGrewIsWrittenAnewWithAllThatIsPromised(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	s := newStory().tell(reload("quiet", 1, 2)...)
	j.Record(s.events)
	largest, shrank := int64(0), 0
	for i := range 6000 {
		before := len(s.events)
		s.tell(reload("web", uint64(i+2), i+2)...)
		j.Record(s.events[before:])
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() < largest {
			shrank++
		}
		largest = max(largest, info.Size())
		if info.Size() > 3<<19 {
			t.Fatalf("the file grew to %d bytes", info.Size())
		}
	}
	if shrank == 0 {
		t.Fatalf("the file was never written anew, and has %d bytes", largest)
	}
	for _, j := range []*journal.Journal{j, open(t, path)} {
		if len(j.Past().Events()) != 1000 || len(j.History("web")) != 10 || len(j.History("quiet")) != 1 || j.LastID() != 6001 {
			t.Errorf("%d events, %d reloads, %d of the quiet one, last id %d", len(j.Past().Events()), len(j.History("web")), len(j.History("quiet")), j.LastID())
		}
		if q, ok := j.Request(5802); !ok || len(q.Services) != 1 || q.Services[0].Drain != time.Second {
			t.Errorf("the two hundredth last request is %+v", q)
		}
	}
	if left, _ := filepath.Glob(path + ".*"); left != nil {
		t.Errorf("it left %v behind", left)
	}
}

func TestLongEventsAreFewerAndWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	s := newStory()
	for range 600 {
		s.tell(lifecycle.Event{Kind: lifecycle.KindAdvice, Reason: strings.Repeat("x", 4000)})
	}
	for i := range s.events {
		j.Record(s.events[i : i+1])
	}
	j.Rewrite(t)
	for line := range strings.Lines(read(t, path)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the file begins with %.20q", line)
		}
	}
	if past := j.Past().Events(); len(past) < 200 || past[len(past)-1].Seq != s.seq {
		t.Errorf("%d events are kept", len(past))
	}
}

func FuzzOpenTakesAnything(f *testing.F) {
	path := filepath.Join(f.TempDir(), "journal")
	j := journal.Open(path, func(err error) { f.Error(err) })
	j.Record(newStory().tell(reload("web", 1, 2)...).tell(request(2)).tell(failure("web", 3, []string{"tail"}, 2)...).events)
	j.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("{\"hupwatch_journal\":1}\n{\"request\":{\"id\":1,\"who\":{\"what\":\"reload\"}}}\n" +
		"{\"reload\":{\"who\":{\"what\":\"reload\"},\"service\":\"web\",\"id\":1}}\n{\"past\":0,\"last_id\":9}\n"))
	f.Add([]byte("{\"hupwatch_journal\":1}\n{\"past\":-1,\"last_id\":0}\n{\"seq\":1,\"kind\":\"reload done\",\"service\":\"\",\"reloads\":[1,1]}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j := journal.Open(path, func(error) {})
		id := j.LastID() + 1
		if id > 1<<53+1 {
			t.Fatalf("the last id is %d", id-1)
		}
		s := newStory().tell(reload("web", id, 2)...)
		j.Record(s.events)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			j = open(t, path)
			if h := j.History("web"); len(h) == 0 || len(h[0].IDs) != 1 || h[0].IDs[0] != id || h[0].Drain != time.Second {
				t.Fatalf("the history is %+v", h)
			}
			if q, ok := j.Request(id); !ok || !q.Done || len(q.Services) != 1 {
				t.Fatalf("the request is %+v", q)
			}
			if past := j.Past().Events(); len(past) == 0 || past[len(past)-1].Service != "web" {
				t.Fatalf("the past is %+v", past)
			}
			j.Rewrite(t)
			j.Close()
		}
	})
}
