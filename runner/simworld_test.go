package runner

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"hupwatch/config"
	"hupwatch/services"
)

// world is a host with one hupwatch on it. Everything in it happens in one
// goroutine, in an order the seed decides.
type world struct {
	rng   *rand.Rand
	now   services.Instant
	soon  agenda
	order int

	rollout *rollout
	inbox   []input
	actors  map[string]*actor
	done    bool

	file     file
	text     string  // what is in the configuration file
	nameText *string // what is in the name file; nil if there is none
	parsed   *config.Config
	healthy  bool
	current  int // the release the links point to

	procs   map[generation]*proc
	nextPID int

	pending map[string]map[uint64]int // service → request not answered → revision of its file
	trace   []string
	failure string
	answers int
	faults  int
}

type generation struct {
	service string
	number  int
}

// actor is a watcher without its goroutine.
type actor struct {
	machine  *services.Machine
	inbox    []services.Input
	stopping bool
	final    bool
	draining int // the largest max_draining so far
}

func newWorld(rng *rand.Rand) *world {
	return &world{
		rng:     rng,
		now:     bootTime,
		rollout: newRollout(),
		actors:  make(map[string]*actor),
		procs:   make(map[generation]*proc),
		nextPID: 100,
		pending: make(map[string]map[uint64]int),
	}
}

func (w *world) between(low, high int) int { return low + w.rng.IntN(high-low+1) }

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d) + 1)) }

func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%12.6f ", time.Duration(w.now-bootTime).Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) tail(n int) string {
	return strings.Join(w.trace[max(0, len(w.trace)-n):], "\n")
}

// later is something that happens at its time, unless the world ends before.
type later struct {
	at    services.Instant
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
func (w *world) run(until services.Instant) {
	for steps := 0; !w.done; steps++ {
		if steps > 2_000_000 {
			w.violated("nothing ever comes to rest")
		}
		ready := w.ready()
		next, what := w.next()
		switch {
		case len(ready) > 0 && !(what && next.Sub(w.now) < 20*time.Millisecond && w.chance(5)):
			w.act(ready[w.rng.IntN(len(ready))])
		case next == services.Never || next > until:
			if until != services.Never {
				w.now = max(w.now, until)
			}
			return
		default:
			w.now = max(w.now, next)
			if what && len(w.soon) > 0 && w.soon[0].at <= w.now {
				heap.Pop(&w.soon).(later).do()
			}
		}
	}
}

// next is the moment something will happen that has not happened yet; what tells
// whether that is on the agenda rather than a deadline.
func (w *world) next() (at services.Instant, what bool) {
	at = services.Never
	if len(w.soon) > 0 {
		at, what = w.soon[0].at, true
	}
	for _, name := range w.names() {
		if d := w.actors[name].machine.Deadline(); d < at && d > w.now {
			at, what = d, false
		}
	}
	return at, what
}

// ready lists who could do something now; "" is the rollout.
func (w *world) ready() []string {
	var ready []string
	if len(w.inbox) > 0 {
		ready = append(ready, "")
	}
	for _, name := range w.names() {
		a := w.actors[name]
		if len(a.inbox) > 0 || a.machine.Deadline() <= w.now {
			ready = append(ready, name)
		}
	}
	return ready
}

func (w *world) names() []string {
	names := make([]string, 0, len(w.actors))
	for name := range w.actors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (w *world) act(who string) {
	if who == "" {
		in := w.inbox[0]
		w.inbox = w.inbox[1:]
		w.stepRollout(in)
		return
	}
	a := w.actors[who]
	if d := a.machine.Deadline(); len(a.inbox) == 0 || d <= w.now && w.chance(50) {
		w.stepMachine(a, services.Tick{})
		return
	}
	in := a.inbox[0]
	a.inbox = a.inbox[1:]
	w.stepMachine(a, in)
}

func (w *world) post(service string, in services.Input) {
	w.actors[service].inbox = append(w.actors[service].inbox, in)
}

func (w *world) stepRollout(in input) {
	w.say("rollout < %s", show(in))
	effects := w.rollout.step(in)
	w.checkRollout(in, effects)
	for _, e := range effects {
		w.carryOutForRollout(e)
	}
}

func (w *world) carryOutForRollout(e effect) {
	switch e := e.(type) {
	case add:
		w.actors[e.config.Name] = &actor{machine: services.NewMachine(e.config)}
		w.pending[e.config.Name] = make(map[uint64]int)
	case tell:
		if r, ok := e.input.(services.Reload); ok {
			w.pending[e.service][r.ID] = revision(r.Config)
		}
		w.post(e.service, e.input)
	case readConfig:
		w.after(w.upTo(30*time.Millisecond), func() {
			c, problems := config.Parse("/etc/hupwatch.toml", []byte(w.text), func(string) (string, bool) { return "", false })
			w.inbox = append(w.inbox, configRead{c, problems})
		})
	case claimNames:
		w.after(w.upTo(5*time.Millisecond), func() {
			in := namesClaimed{err: fmt.Errorf("there is none")}
			if w.nameText != nil {
				in.names, in.err = parseNames([]byte(*w.nameText))
			}
			w.nameText = nil
			w.inbox = append(w.inbox, in)
		})
	case emit:
		w.say("  %s", show(e.event))
	case finish:
		w.done = true
	}
}

func (w *world) stepMachine(a *actor, in services.Input) {
	if w.chance(3) {
		w.roundTrip(a)
	}
	w.say("%s < %s", a.machine.Name, show(in))
	w.before(a, in)
	effects := a.machine.Step(w.now, in)
	w.checkLedger(a)
	for _, e := range effects {
		w.checkEffect(a, e)
		w.carryOut(a, e)
	}
	w.checkMachine(a)
}

// roundTrip replaces a machine by what its JSON says.
func (w *world) roundTrip(a *actor) {
	text, err := json.Marshal(a.machine)
	if err != nil {
		w.violated("machine does not survive JSON: %v", err)
	}
	var m services.Machine
	if err := json.Unmarshal(text, &m); err != nil {
		w.violated("machine does not survive JSON: %v", err)
	}
	a.machine = &m
}

func (w *world) carryOut(a *actor, e services.Effect) {
	name := a.machine.Name
	switch e := e.(type) {
	case services.Resolve:
		w.resolve(name, e)
	case services.Launch:
		w.launch(name, e)
	case services.Signal:
		w.say("  %s: signal %s to generation %d, group %v", name, services.SignalName(e.Signal), e.Generation, e.Group)
		w.signal(w.procs[generation{name, e.Generation}], e)
	case services.AskTurn:
		w.inbox = append(w.inbox, turnAsked{turn{name, e.Ticket}})
	case services.ReturnTurn:
		w.inbox = append(w.inbox, turnReturned{turn{name, e.Ticket}})
	case services.Answer:
		w.answers += len(e.IDs)
		w.inbox = append(w.inbox, answered{name, e})
	case services.Emit:
		w.say("  %s", show(e.Event))
	case services.Ended:
		w.inbox = append(w.inbox, ended{name})
	}
}

// show prints the set fields of a struct, for the trace.
func show(v any) string {
	rv := reflect.ValueOf(v)
	var b strings.Builder
	fmt.Fprint(&b, rv.Type().Name())
	for i := range rv.NumField() {
		f := rv.Field(i)
		if f.IsZero() || f.Kind() == reflect.Struct || f.Kind() == reflect.Pointer || f.Kind() == reflect.Interface {
			continue
		}
		fmt.Fprintf(&b, " %s=%v", rv.Type().Field(i).Name, f)
	}
	return b.String()
}
