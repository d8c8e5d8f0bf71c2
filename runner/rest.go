package runner

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// restAfter is how long after the last event the rest begins.
const restAfter = time.Second

// How often garbage is collected (debug.SetGCPercent): while the services come up,
// when there is hardly any; later; and at rest.
const (
	collectAtStart = 400
	collectLater   = 200
	collectAtRest  = -1 // off: only restLimit beyond what there is starts a collection
	restLimit      = 16 << 20
)

// rest gives memory back to the system when nothing happens any more: the start, or
// the reload, of a thousand services takes several times what it takes to watch them.
type rest struct {
	timer *time.Timer
	// collect says that hupwatch sets how often to collect, since neither GOGC nor
	// GOMEMLIMIT is set.
	collect bool

	mu sync.Mutex // guards what is below
	// kept is what was left the last time, in bytes.
	kept    uint64
	resting bool
}

func newRest() *rest {
	r := &rest{collect: os.Getenv("GOGC")+os.Getenv("GOMEMLIMIT") == ""}
	if r.collect {
		debug.SetGCPercent(collectAtStart)
	}
	r.timer = time.AfterFunc(restAfter, r.begin)
	return r
}

// later puts the rest off: something happened.
func (r *rest) later() {
	r.timer.Reset(restAfter)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resting {
		r.resting = false
		debug.SetGCPercent(collectLater)
		debug.SetMemoryLimit(math.MaxInt64)
	}
}

func (r *rest) stop() { r.timer.Stop() }

// begin gives memory back if that is worth it: after the reload of a single service it
// is not. From now on the runtime does not collect every two minutes for nothing.
func (r *rest) begin() {
	const worth = 1 << 20

	r.mu.Lock()
	defer r.mu.Unlock()
	now := resident()
	if now >= r.kept+r.kept/8+worth {
		debug.FreeOSMemory()
		now = resident()
		r.kept = now
	}
	if r.collect {
		r.resting = true
		debug.SetMemoryLimit(int64(now) + restLimit)
		debug.SetGCPercent(collectAtRest)
	}
}

// resident is the memory that the runtime has from the system.
func resident() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}
