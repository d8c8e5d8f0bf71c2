package lifecycle

import (
	"testing"
	"time"

	"hupwatch/config"
)

func TestDelaysDoubleUpToTheLargest(t *testing.T) {
	tables := []struct {
		name        string
		delay, most time.Duration
		want        []time.Duration
	}{
		{"as usual", 500 * time.Millisecond, 3 * time.Second, []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second}},
		{"always the same", time.Second, time.Second, []time.Duration{0, time.Second, time.Second, time.Second}},
		{"longer than a duration can be", config.Infinity / 3, config.Infinity, []time.Duration{0, config.Infinity / 3, config.Infinity / 3 * 2, config.Infinity, config.Infinity}},
	}
	for _, table := range tables {
		t.Run(table.name, func(t *testing.T) {
			var b Backoff
			c := &config.Service{RestartDelay: table.delay, RestartMaxDelay: table.most}
			for i, want := range table.want {
				now := Instant(i) * Instant(time.Hour)
				got, ok := b.end(now, c, false)
				if !ok || got != want || b.NextStart != now.Add(want) {
					t.Errorf("end %d: %v, %v, next start at %v; want %v", i+1, got, ok, b.NextStart, want)
				}
			}
		})
	}
}

func TestCalmRunResetsTheBackoff(t *testing.T) {
	var b Backoff
	c := &config.Service{RestartDelay: time.Second, RestartMaxDelay: time.Minute, RestartLimit: 3}
	for range 20 {
		b.end(0, c, false)
		b.end(0, c, false)
		if delay, ok := b.end(0, c, true); delay != 0 || !ok {
			t.Fatalf("after a calm run: %v, %v; want a start at once", delay, ok)
		}
	}
}

func TestTheLimitIsOfEndsInARow(t *testing.T) {
	var b Backoff
	c := &config.Service{RestartDelay: time.Second, RestartMaxDelay: time.Minute, RestartLimit: 3}
	for end := 1; end <= 3; end++ {
		if _, ok := b.end(0, c, false); ok != (end < 3) {
			t.Errorf("end %d: a next start: %v", end, ok)
		}
	}
	if b.NextStart != Never {
		t.Errorf("next start at %v, want never", b.NextStart)
	}
	b.clear()
	if delay, ok := b.end(0, c, false); delay != 0 || !ok {
		t.Errorf("after clear: %v, %v; want a start at once", delay, ok)
	}
}
