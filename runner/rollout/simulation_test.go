package rollout

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"hupwatch/services/lifecycle"
)

var (
	seeds    = flag.Uint64("simulation.seeds", defaultSeeds(), "how many seeds TestSimulation runs")
	enough   = flag.Int("simulation.failures", 3, "after how many failures TestSimulation gives up")
	onlySeed = flag.Uint64("simulation.seed", 0, "the only seed TestSimulation runs, with its whole trace")
)

func defaultSeeds() uint64 {
	if raced {
		return 30
	}
	return 1000
}

// TestSimulation runs whole fleets on a virtual clock: the very machines and the
// very rollout of the daemon, the parsers of its files, and a kernel, operators
// and a file system that do everything wrong a seed can make them do. Every
// invariant is checked at every step, and a seed replays exactly.
//
// That it finds what it is there to find is what TestSimulationFindsPlantedBugs
// is about.
func TestSimulation(t *testing.T) {
	if *onlySeed != 0 {
		w := simulate(*onlySeed)
		for i := range w.trace {
			t.Log(w.trace[i].String())
		}
		if w.failure != "" {
			t.Fatal(w.failure)
		}
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are short-lived
	var mu sync.Mutex                                 // guards what is below
	var simulated time.Duration
	var steps, reloads, faults, failures int
	next := uint64(0)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				mu.Lock()
				next++
				seed := next
				stop := seed > *seeds || failures >= *enough
				mu.Unlock()
				if stop {
					return
				}
				w := simulate(seed)
				mu.Lock()
				simulated += time.Duration(w.now - bootTime)
				steps += w.steps
				reloads += w.answers
				faults += w.faults
				if w.failure != "" {
					failures++
					t.Errorf("seed %d: %s\n%s\nreplay with: go test ./runner/rollout -run 'TestSimulation$' -v -simulation.seed=%d", seed, w.failure, w.tail(40), seed)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("simulated %v in %d steps: %d requests to a service answered, %d faults", simulated.Round(time.Minute), steps, reloads, faults)
	if *seeds >= 100 && failures == 0 && simulated < 10*time.Minute {
		t.Errorf("simulated %v, want at least 10m of faults", simulated)
	}
}

func TestSimulationReplaysASeedExactly(t *testing.T) {
	most := uint64(20)
	if raced {
		most = 5
	}
	for seed := uint64(1); seed <= most; seed++ {
		a, b := simulate(seed), simulate(seed)
		if len(a.trace) != len(b.trace) {
			t.Fatalf("seed %d: %d steps, then %d", seed, len(a.trace), len(b.trace))
		}
		for i := range a.trace {
			if first, second := a.trace[i].String(), b.trace[i].String(); first != second {
				t.Fatalf("seed %d: step %d: %q, then %q", seed, i, first, second)
			}
		}
	}
}

// bootTime is when a simulated hupwatch begins: not zero, as on a real host.
const bootTime = lifecycle.Instant(time.Hour)

// simulate runs one seed to its end.
func simulate(seed uint64) (w *world) {
	w = newWorld(rand.New(rand.NewPCG(seed, 1)))
	defer w.recovered()
	w.begin()
	w.live(w.between(5, 40))
	for w.chance(30) {
		w.reboot()
		w.live(w.between(0, 10))
	}
	return w
}

// live is the life of one hupwatch, with so much mischief in it.
func (w *world) live(mischief int) {
	for range mischief {
		w.run(w.now.Add(w.upTo(20 * time.Second)))
		if w.rollout.ending {
			break
		}
		w.mischief()
	}
	if !w.rollout.ending && w.chance(50) {
		w.heal()
	}
	w.end()
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
