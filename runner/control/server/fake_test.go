package server_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"hupwatch/runner/control"
	"hupwatch/services/mailbox"
)

// fake is a daemon that does what a test says.
type fake struct {
	// onAsk answers what is asked; without it, it gets the id 1.
	onAsk func(ctx context.Context, c call) (uint64, error)
	room  int             // of a box, 0 for no limit
	early []control.Event // what happens before a new box is read

	mu       sync.Mutex
	status   control.Status
	plan     control.Plan
	planErr  error
	reloads  map[uint64]control.Reload
	past     []control.Event
	boxes    []*mailbox.Box[control.Event]
	lines    []control.Line
	lineBox  *mailbox.Box[control.Line]
	asks     []call
	memory   map[string]int64
	measured int // how often memory was asked for
	counted  int // and connections
	held     map[int]int
	gid      int
	panics   string // what panics
}

type call struct {
	what, name string
	request    control.Request
	by         string
}

func (f *fake) Status() control.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.panics == "status" {
		panic("status went wrong")
	}
	return f.status
}

func (f *fake) Service(name string) (control.Service, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.status.Services, func(s control.Service) bool { return s.Name == name })
	if i < 0 {
		return control.Service{}, false
	}
	return f.status.Services[i], true
}

func (f *fake) Plan(context.Context) (control.Plan, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.plan, f.planErr
}

func (f *fake) Ask(ctx context.Context, what, name string, q control.Request, by string) (uint64, error) {
	c := call{what, name, q, by}
	f.mu.Lock()
	f.asks = append(f.asks, c)
	f.mu.Unlock()
	if f.onAsk != nil {
		return f.onAsk(ctx, c)
	}
	f.begin(1, what, by)
	return 1, nil
}

// begin is what a request that is accepted begins with.
func (f *fake) begin(id uint64, what, by string) {
	f.change(func() {
		if f.reloads == nil {
			f.reloads = make(map[uint64]control.Reload)
		}
		f.reloads[id] = control.Reload{ID: id, What: what, By: by, StartedAt: moment(1), Services: []control.ServiceReload{{Name: "web"}}}
	})
	f.publish(control.Event{Kind: "reload asked", Reloads: []uint64{id}, By: by})
}

// finish is what it ends with, but for what drains.
func (f *fake) finish(id uint64) {
	f.done(id)
	f.publish(control.Event{Kind: "reload done", Reloads: []uint64{id}})
}

func (f *fake) done(id uint64) {
	f.change(func() {
		r := f.reloads[id]
		r.Done, r.EndedAt = true, moment(2)
		f.reloads[id] = r
	})
}

func (f *fake) Reload(id uint64) (control.Reload, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.reloads[id]
	return r, ok
}

func (f *fake) Follow() (*mailbox.Box[control.Event], func()) {
	_, box, cancel := f.Events()
	return box, cancel
}

func (f *fake) Events() ([]control.Event, *mailbox.Box[control.Event], func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	box := mailbox.New[control.Event](f.room)
	f.boxes = append(f.boxes, box)
	for _, e := range f.early {
		box.Put(e)
	}
	return f.past, box, func() {
		f.change(func() {
			f.boxes = slices.DeleteFunc(f.boxes, func(b *mailbox.Box[control.Event]) bool { return b == box })
		})
	}
}

// publish makes events happen, all at once.
func (f *fake) publish(events ...control.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.past = append(f.past, events...)
	for _, box := range f.boxes {
		for _, e := range events {
			box.Put(e)
		}
	}
}

func (f *fake) subscribers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.boxes)
}

func (f *fake) Written(_ string, generation int) []control.Line {
	return []control.Line{{Generation: generation, Text: "first"}, {Generation: generation, Text: "last"}}
}

func (f *fake) Lines(_ string, n int) ([]control.Line, *mailbox.Box[control.Line], func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lineBox = mailbox.New[control.Line](f.room)
	return f.lines[max(len(f.lines)-n, 0):], f.lineBox, func() { f.change(func() { f.lineBox = nil }) }
}

func (f *fake) Memory(services []string) map[string]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.measured++
	known := make(map[string]int64)
	for _, name := range services {
		known[name] = f.memory[name]
	}
	return known
}

func (f *fake) Connections(pid int) (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counted++
	n, ok := f.held[pid]
	return n, ok
}

func (f *fake) ControlGroup() (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gid, f.gid > 0
}

func (f *fake) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fake) asked() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asks)
}

// moment is a time with no more digits than go over the wire.
func moment(n int) control.Time {
	return control.Time{Time: time.Date(2026, 11, 23, 3, 4, n, 5e6, time.UTC)}
}
