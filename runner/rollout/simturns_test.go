package rollout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hupwatch/services/lifecycle"
)

// many is a world in which so many services serve, healthy, with turns for a few.
func many(t *testing.T, n, parallel int) (w *world) {
	t.Helper()
	w = newWorld(rand.New(rand.NewPCG(1, 1)))
	w.healthy = true
	w.essential = make(map[string]bool)
	w.file.maxParallel = parallel
	for i := range n {
		w.file.services = append(w.file.services, fileService{
			name: fmt.Sprintf("s%03d", i), warmup: time.Second, startTimeout: 5 * time.Second, stopTimeout: 30 * time.Second,
			maxDraining: 2, restart: "always", restartDelay: time.Second, restartMax: time.Second, killMode: "mixed", autostart: true,
			fileFeatures: fileFeatures{ready: "http", interval: 250 * time.Millisecond, beforeStop: true},
		})
	}
	w.write()
	c, problems := w.read()
	if c == nil {
		t.Fatal(problems)
	}
	w.parsed = c
	w.inbox = append(w.inbox, Boot{Config: c})
	w.run(w.now.Add(time.Minute))
	for _, a := range w.list {
		if a.machine.State() != lifecycle.StateRunning {
			t.Fatalf("%s is %s", a.machine.Name, a.machine.State())
		}
	}
	return w
}

// turns tells from the trace in which order reloads began, how many were under way
// at the same time, and how long the last one waited for its turn.
func (w *world) turns(from int) (begun []string, most int, waited time.Duration) {
	busy := make(map[string]lifecycle.Instant)
	first := lifecycle.Never
	for _, l := range w.trace[from:] {
		e, ok := l.what.(lifecycle.Event)
		switch {
		case !ok:
		case e.Kind == lifecycle.KindReloadBegun:
			first = min(first, l.at)
			waited = max(waited, l.at.Sub(first))
			begun = append(begun, e.Service)
			busy[e.Service] = l.at
			most = max(most, len(busy))
		case e.Kind == lifecycle.KindReloadEnded:
			delete(busy, e.Service)
		}
	}
	return begun, most, waited
}

// A reload of many services takes longer than start_timeout allows one of them: only
// so many are under way at the same time, and the others' time does not run before
// their turn has come.
func TestAReloadOfManyServicesTakesTurnsThatDoNotTimeEachOtherOut(t *testing.T) {
	const parallel = 4
	w := many(t, 200, parallel)
	from := len(w.trace)
	w.inbox = append(w.inbox, Hangup{})
	w.run(w.now.Add(30 * time.Minute))

	begun, most, waited := w.turns(from)
	if most != parallel {
		t.Errorf("%d reloads were under way at the same time, want %d", most, parallel)
	}
	if len(begun) != 200 {
		t.Errorf("%d services were reloaded, want 200", len(begun))
	}
	if limit := 10 * time.Second; waited < limit {
		t.Errorf("the last one waited %s for its turn, want more than twice its start_timeout of 5s", waited)
	}
	for _, a := range w.list {
		g := a.machine.Slots[0].Active
		if g == nil || g.Number != 2 || a.machine.Current != nil {
			t.Errorf("%s was not promoted once: %+v", a.machine.Name, g)
		}
	}
	// First come, first served: in the order in which they asked.
	var asked []string
	for _, l := range w.trace[from:] {
		if in, ok := l.what.(TurnAsked); ok {
			asked = append(asked, in.Service)
		}
	}
	var granted []string
	for _, l := range w.trace[from:] {
		if _, ok := l.what.(lifecycle.Turn); ok {
			granted = append(granted, l.who)
		}
	}
	// Those who have their turn at the same time act in any order.
	for i, name := range granted {
		if at := slices.Index(asked, name); at > i+parallel || at < i-parallel {
			t.Errorf("%s asked as the %d. and had its turn as the %d.", name, at+1, i+1)
		}
	}
}

// The turn is given back with the stop signal, not before: what before_stop takes
// out of a load balancer is not there while others do the same.
func TestABeforeStopKeepsItsTurn(t *testing.T) {
	w := many(t, 20, 2)
	from := len(w.trace)
	w.inbox = append(w.inbox, Hangup{})
	w.run(w.now.Add(30 * time.Minute))

	out := make(map[string]bool)
	most := 0
	for _, l := range w.trace[from:] {
		e, ok := l.what.(lifecycle.Event)
		switch {
		case !ok:
		case e.Kind == lifecycle.KindHookBegun:
			out[e.Service] = true
			most = max(most, len(out))
		case e.Kind == lifecycle.KindStopSignalled:
			delete(out, e.Service)
		}
	}
	if most == 0 || most > 2 {
		t.Errorf("before_stop of %d services ran at the same time, max_parallel is 2", most)
	}
}
