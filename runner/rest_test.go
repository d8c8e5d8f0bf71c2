package runner

import (
	"math"
	"runtime/debug"
	"testing"
)

// Those who only look make no events, and garbage all the same.
func TestAtRestMemoryDoesNotGrowWithoutBounds(t *testing.T) {
	percent := debug.SetGCPercent(collectLater)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(math.MaxInt64)
	})
	r := &rest{collect: true}
	r.begin()
	if got := debug.SetGCPercent(collectAtRest); got != collectAtRest {
		t.Errorf("at rest it is collected at %d %%: the runtime does so every two minutes", got)
	}
	before := resident()
	var kept []byte
	for range 4 * 4096 {
		kept = make([]byte, 64<<10)
	}
	if grown := resident() - before; kept[0] != 0 || grown > 32*restLimit {
		t.Errorf("1 GiB of garbage takes %d MiB", grown>>20)
	}
}
