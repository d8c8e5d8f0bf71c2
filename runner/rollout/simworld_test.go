package rollout

import (
	"container/heap"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// world is a host with one hupwatch on it. Everything in it happens in one
// goroutine, in an order the seed decides.
type world struct {
	rng   *rand.Rand
	now   lifecycle.Instant
	soon  agenda
	order int

	rollout *Rollout
	inbox   []Input
	frozen  lifecycle.Instant // until when the rollout is not scheduled
	actors  map[string]*actor
	list    []*actor // by name
	watch   rolloutWatch
	done    bool
	endBy   lifecycle.Instant // once hupwatch ends: when it must have

	archive  archive
	rebooted archive // what it was when hupwatch began; nil for the first

	operators
	kernel

	trace   []line
	failure string
	steps   int
	answers int
	faults  int
}

// actor is a watcher without its goroutine.
type actor struct {
	machine  *lifecycle.Machine
	inbox    []lifecycle.Input
	deadline lifecycle.Instant
	frozen   lifecycle.Instant // until when it is not scheduled
	// opensItself tells that its processes open an address where hupwatch does not.
	opensItself bool

	procs []*proc // by number, from 1
	live  []*proc // those of which something may still live
	open  []config.Listen

	proofs map[int]lifecycle.Prove // the last look at each generation
	hooks  map[int]*hook           // by their tokens
	public map[string]int          // which generation a public path leads to
	guard  lifecycle.Guard         // the last one

	machineWatch
}

func newWorld(rng *rand.Rand) *world {
	return &world{
		rng:     rng,
		now:     bootTime,
		rollout: New(),
		actors:  make(map[string]*actor),
		watch:   newRolloutWatch(),
		endBy:   lifecycle.Never,
		archive: make(archive),
		kernel:  kernel{nextPID: 100, flaws: make(map[string]flaw)},
	}
}

func (w *world) between(low, high int) int { return low + w.rng.IntN(high-low+1) }

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d) + 1)) }

// later is something that happens at its time, unless the world ends before.
type later struct {
	at    lifecycle.Instant
	order int
	do    func()
}

type agenda []later

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(later)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.soon, later{w.now.Add(d), w.order, do})
}

// run lets time pass until the moment given, or until nothing is left to happen.
func (w *world) run(until lifecycle.Instant) {
	for begun := w.steps; !w.done; w.steps++ {
		if w.steps-begun > 1_000_000 {
			w.violated("nothing ever comes to rest")
		}
		ready := w.ready()
		next, planned := w.next()
		switch {
		case ready > 0 && !(planned && w.overtakes(next)):
			w.act(w.rng.IntN(ready))
		case next == lifecycle.Never || next > until:
			if ready == 0 {
				w.checkRest()
			}
			if until != lifecycle.Never {
				w.now = max(w.now, until)
			}
			return
		default:
			if ready == 0 {
				w.checkRest()
			}
			w.now = max(w.now, next)
			if planned && w.soon[0].at <= w.now {
				heap.Pop(&w.soon).(later).do()
			}
		}
	}
}

// overtakes reports whether what is to happen then does so before what could be
// done now: messages take their time, and so do watchers.
func (w *world) overtakes(next lifecycle.Instant) bool {
	if next <= w.now {
		return w.chance(50)
	}
	return next.Sub(w.now) < 20*time.Millisecond && w.chance(5)
}

// next is the moment something will happen that has not happened yet; planned
// reports whether that is on the agenda rather than a watcher's.
func (w *world) next() (at lifecycle.Instant, planned bool) {
	at = lifecycle.Never
	if len(w.soon) > 0 {
		at, planned = w.soon[0].at, true
	}
	if len(w.inbox) > 0 && w.now < w.frozen && w.frozen < at {
		at, planned = w.frozen, false
	}
	for _, a := range w.list {
		due := a.deadline
		if len(a.inbox) > 0 {
			due = w.now
		}
		if due = max(due, a.frozen); due < at && due > w.now {
			at, planned = due, false
		}
	}
	return at, planned
}

func (w *world) rolloutCould() bool { return len(w.inbox) > 0 && w.frozen <= w.now }

func (w *world) couldAct(a *actor) bool {
	return a.frozen <= w.now && (len(a.inbox) > 0 || a.deadline <= w.now && !w.awaited(a))
}

// awaited reports whether the exit of what a Tick would take further is on its way:
// that goes first.
func (w *world) awaited(a *actor) bool {
	n := a.machine.Warming(w.now)
	return n != 0 && a.procs[n-1].dead
}

// ready counts who could do something now.
func (w *world) ready() int {
	n := 0
	if w.rolloutCould() {
		n++
	}
	for _, a := range w.list {
		if w.couldAct(a) {
			n++
		}
	}
	return n
}

// act lets the nth of those that could do something now do it.
func (w *world) act(n int) {
	if w.rolloutCould() {
		if n == 0 {
			in := w.inbox[0]
			w.inbox = w.inbox[1:]
			w.stepRollout(in)
			return
		}
		n--
	}
	for _, a := range w.list {
		if !w.couldAct(a) {
			continue
		}
		if n == 0 {
			w.actFor(a)
			return
		}
		n--
	}
}

func (w *world) actFor(a *actor) {
	if len(a.inbox) == 0 || a.deadline <= w.now && w.chance(50) && !w.awaited(a) {
		w.stepMachine(a, lifecycle.Tick{})
		return
	}
	in := a.inbox[0]
	a.inbox = a.inbox[1:]
	w.stepMachine(a, in)
}

func (w *world) post(service string, in lifecycle.Input) {
	a := w.actors[service]
	a.inbox = append(a.inbox, in)
}

func (w *world) stepRollout(in Input) {
	w.note("rollout <", in)
	w.beforeRollout(in)
	effects := w.rollout.Step(in)
	w.checkRollout(in, effects)
	for _, e := range effects {
		w.carryOutForRollout(e)
	}
}

func (w *world) carryOutForRollout(e Effect) {
	switch e := e.(type) {
	case Add:
		w.addActor(e.Config, e.Known)
	case Tell:
		w.actors[e.Service].isAsked(e.Input)
		w.post(e.Service, e.Input)
	case ReadConfig:
		w.after(w.readTakes(), func() {
			c, problems := w.read()
			w.inbox = append(w.inbox, ConfigRead{c, problems})
		})
	case ClaimNames:
		w.after(w.upTo(5*time.Millisecond), w.claim)
	case Emit:
		w.note(" ", e.Event)
	case Finish:
		w.done = true
		w.checkEnded()
	}
}

func (w *world) addActor(c *config.Service, known lifecycle.Record) {
	a := &actor{machine: lifecycle.NewMachine(c, known), deadline: lifecycle.Never, opensItself: w.chance(50)}
	a.asked = make(map[uint64]*ask)
	a.hooks, a.public, a.proofs = make(map[int]*hook), make(map[string]int), make(map[int]lifecycle.Prove)
	a.slots = make(map[int]*slotWatch)
	a.wanted = c.Autostart
	w.waitsFor(a, c)
	w.begins(a)
	if w.actors[c.Name] != nil {
		w.violated("%s gets a second watcher", c.Name)
	}
	w.actors[c.Name] = a
	at, _ := slices.BinarySearchFunc(w.list, c.Name, func(a *actor, name string) int { return strings.Compare(a.machine.Name, name) })
	w.list = slices.Insert(w.list, at, a)
}

func (w *world) stepMachine(a *actor, in lifecycle.Input) {
	if w.chance(1) {
		w.roundTrip(a)
	}
	w.note(a.machine.Name, in)
	was := w.before(a, in)
	effects := a.machine.Step(w.now, in)
	a.deadline = a.machine.Deadline()
	w.checkLedger(a)
	for _, e := range effects {
		w.checkEffect(a, was, e)
		w.carryOut(a, e)
	}
	w.checkMachine(a, was, in, effects)
	w.checkDemand(a, was, in, effects)
	w.spring(a, was)
}

// roundTrip replaces a machine by what its JSON says.
func (w *world) roundTrip(a *actor) {
	text, err := json.Marshal(a.machine)
	if err != nil {
		w.violated("machine does not survive JSON: %v", err)
	}
	var m lifecycle.Machine
	if err := json.Unmarshal(text, &m); err != nil {
		w.violated("machine does not survive JSON: %v", err)
	}
	a.machine = &m
}

func (w *world) carryOut(a *actor, e lifecycle.Effect) {
	name := a.machine.Name
	switch e := e.(type) {
	case lifecycle.Resolve:
		w.resolve(a, e)
	case lifecycle.Launch:
		w.launch(a, e)
	case lifecycle.Prove:
		w.prove(a, e)
	case lifecycle.Observe:
		w.observe(a, e)
	case lifecycle.Signal:
		w.note("  "+name, e)
		w.signal(a.procs[e.Generation-1], e)
	case lifecycle.Pass:
		w.note("  "+name, e)
		w.pass(a.procs[e.Generation-1], e.Signal)
	case lifecycle.AskTurn:
		w.inbox = append(w.inbox, TurnAsked{Turn{name, e.Ticket}})
	case lifecycle.ReturnTurn:
		w.inbox = append(w.inbox, TurnReturned{Turn{name, e.Ticket}})
	case lifecycle.Answer:
		w.answers += len(e.IDs)
		w.inbox = append(w.inbox, Answered{name, e})
	case lifecycle.KeepSockets:
		w.checkShutDown(a, e)
		a.open = slices.DeleteFunc(a.open, func(l config.Listen) bool { return !slices.Contains(e.Listen, l) })
		maps.DeleteFunc(a.public, func(path string, _ int) bool { return !slices.Contains(e.Publish, path) })
	case lifecycle.Remember:
		w.archive.keep(name, e.Record)
	case lifecycle.RunHook:
		w.note("  "+name, e)
		w.runHook(a, e)
	case lifecycle.KillHook:
		w.note("  "+name, e)
		w.killHook(a, e)
	case lifecycle.Publish:
		w.note("  "+name, e)
		w.publish(a, e)
	case lifecycle.Retract:
		if a.public[e.Path] == e.Generation {
			delete(a.public, e.Path)
		}
	case lifecycle.Guard:
		a.guard = e
	case lifecycle.TellDependents:
		w.stands(a, e)
	case lifecycle.Emit:
		w.note(" ", e.Event)
	case lifecycle.DownForGood:
		w.inbox = append(w.inbox, DownForGood{name, e.Code, w.now})
	case lifecycle.Ended:
		w.inbox = append(w.inbox, Ended{name})
	}
}
