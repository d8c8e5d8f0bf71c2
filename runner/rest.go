package runner

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// restAfter is how long after the last event hupwatch takes it that there is
// quiet.
const restAfter = time.Second

// What is collected less often while the services come up, when hardly anything
// becomes garbage, and afterwards.
const (
	collectAtStart = 400
	collectLater   = 200
	collectAtRest  = -1 // only what would take more than restLimit beyond what there is
	restLimit      = 16 << 20
)

// rest gives the memory of a storm back to the system when there is quiet again:
// the start, or the reload, of a thousand services takes several times what it
// takes to watch them.
type rest struct {
	timer *time.Timer
	// collect says that how often to collect is for hupwatch to say, not for
	// whoever set GOGC.
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

// begin gives back what is worth it: after the reload of a single service that is
// nothing. From now on the runtime does not collect every two minutes what is not
// there.
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
