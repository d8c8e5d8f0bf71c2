package runner

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"hupwatch/services"
)

var (
	seeds    = flag.Uint64("simulation.seeds", 3000, "how many seeds TestSimulation runs")
	onlySeed = flag.Uint64("simulation.seed", 0, "the only seed TestSimulation runs, with its whole trace")
)

// TestSimulation runs whole fleets on a virtual clock: the very machines and the
// very rollout of the daemon, the parsers of its files, and a kernel, operators
// and a file system that do everything wrong a seed can make them do. Every
// invariant is checked at every step, and a seed replays exactly.
func TestSimulation(t *testing.T) {
	if *onlySeed != 0 {
		w := simulate(*onlySeed)
		for _, line := range w.trace {
			t.Log(line)
		}
		if w.failure != "" {
			t.Fatal(w.failure)
		}
		return
	}
	var mu sync.Mutex // guards what is below
	var simulated time.Duration
	var reloads, faults, failures int
	next := uint64(0)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				mu.Lock()
				next++
				seed := next
				stop := seed > *seeds || failures >= 3
				mu.Unlock()
				if stop {
					return
				}
				w := simulate(seed)
				mu.Lock()
				simulated += time.Duration(w.now - bootTime)
				reloads += w.answers
				faults += w.faults
				if w.failure != "" {
					failures++
					t.Errorf("seed %d: %s\n%s\nreplay with: go test ./runner -run TestSimulation -simulation.seed=%d -v", seed, w.failure, w.tail(40), seed)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("simulated %v of faults: %d reloads of a service answered, %d faults", simulated.Round(time.Minute), reloads, faults)
	if failures == 0 && simulated < 10*time.Minute {
		t.Errorf("simulated %v, want at least 10m of faults", simulated)
	}
}

func TestSimulationReplaysASeedExactly(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		a, b := simulate(seed), simulate(seed)
		if len(a.trace) != len(b.trace) {
			t.Fatalf("seed %d: %d steps, then %d", seed, len(a.trace), len(b.trace))
		}
		for i := range a.trace {
			if a.trace[i] != b.trace[i] {
				t.Fatalf("seed %d: step %d: %q, then %q", seed, i, a.trace[i], b.trace[i])
			}
		}
	}
}

// bootTime is when a simulated hupwatch begins: not zero, as on a real host.
const bootTime = services.Instant(time.Hour)

// simulate runs one seed to its end.
func simulate(seed uint64) (w *world) {
	w = newWorld(rand.New(rand.NewPCG(seed, 1)))
	defer w.recovered()
	w.begin()
	for range w.between(5, 40) {
		w.run(w.now.Add(time.Duration(w.rng.Int64N(int64(20 * time.Second)))))
		w.mischief()
	}
	if w.rng.IntN(2) == 0 {
		w.heal()
	}
	w.end()
	return w
}

// recovered turns a panic, of an invariant or of the code, into the failure of
// this seed.
func (w *world) recovered() {
	switch r := recover().(type) {
	case nil:
	case violation:
		w.failure = string(r)
	default:
		stack := make([]byte, 4096)
		w.failure = fmt.Sprintf("panic: %v\n%s", r, stack[:runtime.Stack(stack, false)])
	}
}
