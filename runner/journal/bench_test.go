package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"hupwatch/runner/journal"
	"hupwatch/services/lifecycle"
)

// storm are the events of a HUP of so many services.
func storm(id uint64, n, generation int) []lifecycle.Event {
	s := newStory().tell(request(id))
	for i := range n {
		s.tell(promotion(fmt.Sprintf("service-%d", i), generation, id)...)
	}
	s.tell(done(id, lifecycle.ResultPromoted))
	for i := range n {
		s.tell(exited(fmt.Sprintf("service-%d", i), generation-1, lifecycle.Exit{}, time.Second, id))
	}
	return s.events
}

// boot are the events of so many services being started.
func boot(n int) []lifecycle.Event {
	s := newStory().tell(begun())
	for i := range n {
		name := fmt.Sprintf("service-%d", i)
		s.tell(of(name, lifecycle.KindStarted, 1), of(name, lifecycle.KindPromoted, 1))
	}
	return s.events
}

// BenchmarkRecord is one event of the HUPs of 1000 services, one after the other,
// with the file written anew as often as that comes to.
func BenchmarkRecord(b *testing.B) {
	for _, batch := range []int{1, 16, 256, 16384} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			const hups = 20
			storms := make([][]lifecycle.Event, hups)
			for i := range storms {
				storms[i] = storm(uint64(i+1), 1000, i+2)
			}
			var j *journal.Journal
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				b.StopTimer()
				j = open(b, filepath.Join(b.TempDir(), "journal"))
				b.StartTimer()
				for _, events := range storms {
					events = events[:min(len(events), b.N-n)]
					for part := range slices.Chunk(events, batch) {
						j.Record(part)
					}
					n += len(events)
				}
			}
		})
	}
}

// BenchmarkHeap is what is held of 1000 services that were reloaded so often.
func BenchmarkHeap(b *testing.B) {
	for _, hups := range []int{0, 1, 10, 50} {
		for _, reopen := range []bool{false, true} {
			b.Run(fmt.Sprintf("hups=%d/read=%v", hups, reopen), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "journal")
				var j *journal.Journal
				for range b.N {
					os.Remove(path)
					before := heap()
					j = journal.Open(path, func(err error) { b.Error(err) })
					j.Record(boot(1000))
					for i := range hups {
						j.Record(storm(uint64(i+1), 1000, i+2))
					}
					if reopen {
						j.Close()
						j = journal.Open(path, func(err error) { b.Error(err) })
					}
					b.ReportMetric(float64(heap()-before), "B/held")
					info, _ := os.Stat(path)
					b.ReportMetric(float64(info.Size()), "B/file")
				}
				j.Close()
			})
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkOpen reads what so many HUPs of 1000 services left, after a proper end
// and without one.
func BenchmarkOpen(b *testing.B) {
	for _, hups := range []int{0, 1, 50} {
		for _, closed := range []bool{true, false} {
			b.Run(fmt.Sprintf("hups=%d/closed=%v", hups, closed), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "journal")
				j := open(b, path)
				j.Record(boot(1000))
				for i := range hups {
					j.Record(storm(uint64(i+1), 1000, i+2))
				}
				if closed {
					j.Close()
				}
				info, _ := os.Stat(path)
				b.SetBytes(info.Size())
				b.ReportAllocs()
				for b.Loop() {
					journal.Open(path, func(err error) { b.Error(err) })
				}
			})
		}
	}
}

// BenchmarkPast reads the last thousand events.
func BenchmarkPast(b *testing.B) {
	j := open(b, filepath.Join(b.TempDir(), "journal"))
	j.Record(storm(1, 1000, 2))
	for b.Loop() {
		j.Past().Events()
	}
}
