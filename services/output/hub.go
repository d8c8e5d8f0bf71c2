// Package output is where the output of services goes.
//
//	process ──▶ FIFO ─┐                       ┌▶ sink ──▶ hupwatch's stdout
//	process ──▶ FIFO ─┼▶ poller ──▶ lines ────┼▶ sink ──▶ hupwatch's stderr
//	process ──▶ FIFO ─┘               │       └▶ sink ──▶ file, file.1, ...
//	                                  └▶ journal of the service, tail of the generation
//
// The process can read from its end of a FIFO too, so that one which outlives
// hupwatch is not killed by what it writes. A sink has a bounded queue, and a
// goroutine while there is something in it. If the queue is full, the processes that
// write to it wait, as they would if they wrote there themselves. If the destination
// takes nothing for two seconds, lines are lost and counted, and a line says so as
// soon as it takes some again. What is idle costs nothing but its descriptor.
package output

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hupwatch/config"
	"hupwatch/services/mailbox"
	"hupwatch/services/mistake"
	"hupwatch/services/process"
	"hupwatch/services/process/poller"
)

// Options are what a Hub is made with.
type Options struct {
	// Dir is a directory for FIFOs, which is made if need be. Empty is none, for
	// a hupwatch without runtime_dir: then no process can be adopted.
	Dir string
	// Lost is called if Dir is gone, with all that was in it. It makes the directory
	// above it again, if need be. Nil does nothing.
	Lost func() error
	// Stdout and Stderr are hupwatch's own.
	Stdout, Stderr io.Writer
	// Trouble is told what goes wrong. The service is empty if it concerns all
	// services. It must not block.
	Trouble func(service, text string)
	// Mistakes is told of what panics here.
	Mistakes mistake.Report
}

// Hub takes in what all services write. Its methods may be called by any
// goroutine and do not block, but for Close.
type Hub struct {
	dir            string
	lost           func() error
	trouble        func(service, text string)
	mistakes       mistake.Report
	poller         *poller.Poller
	stdout, stderr *sink

	// Taken after the lock of a stream and before that of a sink or journal.
	mu       sync.Mutex // guards what is below
	files    map[string]*sink
	journals map[string]*journal
	stories  map[place]story
	streams  map[*stream]bool
	boxes    map[*mailbox.Box[Line]]bool
	closed   bool
}

// New returns a hub. FIFOs that an earlier one left are removed, but for those
// that somebody still writes to.
func New(o Options) (*Hub, error) {
	if o.Dir != "" {
		if err := os.Mkdir(o.Dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("make directory for output: %w", err)
		}
		if err := sweep(o.Dir); err != nil {
			return nil, fmt.Errorf("clean directory for output: %w", err)
		}
	}
	p, err := poller.New(o.Mistakes)
	if err != nil {
		return nil, err
	}
	h := &Hub{
		dir: o.Dir, lost: o.Lost, trouble: o.Trouble, mistakes: o.Mistakes, poller: p,
		files:    make(map[string]*sink),
		journals: make(map[string]*journal),
		stories:  make(map[place]story),
		streams:  make(map[*stream]bool),
		boxes:    make(map[*mailbox.Box[Line]]bool),
	}
	h.stdout = h.newSink("", "standard output", standard{o.Stdout})
	h.stderr = h.newSink("", "standard error", standard{o.Stderr})
	return h, nil
}

func (h *Hub) newSink(service, name string, to destination) *sink {
	return &sink{
		name: name, to: to,
		trouble:  func(text string) { h.trouble(service, text) },
		mistakes: h.mistakes,
		unused:   func() {},
	}
}

// Open makes what one generation of a service writes to. If as is given, its program
// runs as that user. A generation below 0 stands for a command, which is no
// generation.
func (h *Hub) Open(c *config.Service, generation, instance int, as *process.Credential) (*Capture, error) {
	capture := &Capture{stdout: 1, stderr: 2, tail: newTail()}
	if generation > 0 && (captured(c.Output) || captured(c.Stderr)) {
		capture.tail = h.tell(place{c.Name, instance}, generation)
	}
	for _, r := range routes(c) {
		fd := inherited(r.output, r.stream)
		if captured(r.output) {
			f, err := h.makeFIFO(h.path(c.Name, generation, instance, r.stream), as)
			if err == nil {
				fd = f.writer
				err = h.begin(capture, c, generation, instance, r, f)
			}
			if err != nil {
				f.remove()
				capture.stop(true)
				return nil, err
			}
		}
		if r.stream == Out {
			capture.stdout = fd
		}
		if r.stream == Err || c.Stderr == "" && fd != 1 {
			capture.stderr = fd
		}
	}
	return capture, nil
}

// makeFIFO makes a FIFO, and the directory again if that is gone.
func (h *Hub) makeFIFO(path string, as *process.Credential) (fifo, error) {
	f, err := makeFIFO(path, as)
	if path == "" || !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	if h.lost != nil {
		if err := h.lost(); err != nil {
			return f, err
		}
	}
	if err := os.Mkdir(h.dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return f, fmt.Errorf("make directory for output: %w", err)
	}
	return makeFIFO(path, as)
}

// Adopt goes on with what an earlier hupwatch made for a generation that still
// lives. The output goes to where the service is configured to write now. A stream
// that the earlier one made no FIFO for is not seen.
func (h *Hub) Adopt(c *config.Service, generation, instance int) (*Capture, error) {
	capture := &Capture{stdout: -1, stderr: -1, tail: newTail(), settled: true}
	for _, r := range []route{{Out, c.Output}, {Err, c.Stderr}} {
		path := h.path(c.Name, generation, instance, r.stream)
		if path == "" {
			break
		}
		if r.output == "" {
			r.output = c.Output
		}
		if r.output == config.OutputInherit {
			r.output = config.OutputPrefix // the process itself stays with its FIFO
		}
		f, err := adoptFIFO(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = h.begin(capture, c, generation, instance, r, f)
		}
		if err != nil {
			capture.stop(false)
			return nil, fmt.Errorf("adopt the output of generation %d: %w", generation, err)
		}
	}
	return capture, nil
}

// Apply sets how the output files that a service has open are rotated from now on.
func (h *Hub) Apply(c *config.Service) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range routes(c) {
		path, _ := r.output.File()
		if k := h.files[path]; k != nil {
			k.rotate(c)
		}
	}
}

// place is where generations of a service follow each other.
type place struct {
	service  string
	instance int
}

// story is what a generation wrote that does not serve yet, or never did. Each place
// has one, until the next generation begins.
type story struct {
	generation int
	lines      *journal
}

// tell begins the story of a generation.
func (h *Hub) tell(at place, generation int) *journal {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := newStory(at.service)
	h.stories[at] = story{generation, lines}
	return lines
}

// settle forgets the story of a generation that serves.
func (h *Hub) settle(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := place{s.service, s.instance}
	if h.stories[at].generation == s.generation {
		delete(h.stories, at)
	}
}

// Of returns the lines of one generation that are kept. Of the last one to try, if it
// has not served, these are the last 64 KiB; of any other, those that are still in the
// journal of its service. It does not block.
func (h *Hub) Of(service string, generation int) []Line {
	h.mu.Lock()
	defer h.mu.Unlock()
	for at, s := range h.stories {
		if at.service == service && s.generation == generation {
			if lines := s.lines.lines(-1); len(lines) > 0 {
				return lines
			}
		}
	}
	if j := h.journals[service]; j != nil {
		return j.of(generation)
	}
	return nil
}

// Recall returns the last n lines of a service, all that are kept if n is
// negative, and a box that gets every line after them. A reader that does not keep up
// loses lines. The box is closed by stop, which must be called, and by Close.
func (h *Hub) Recall(service string, n int) (past []Line, box *mailbox.Box[Line], stop func()) {
	box = mailbox.New[Line](followerLines)
	h.mu.Lock()
	j, closed := h.journal(service), h.closed
	if closed {
		box.Close()
	} else {
		h.boxes[box] = true
	}
	entries := j.recall(n, box)
	h.mu.Unlock()
	return j.linesOf(entries), box, func() { h.unfollow(box) }
}

func (h *Hub) unfollow(box *mailbox.Box[Line]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.boxes, box)
	for service, j := range h.journals {
		if left := j.unfollow(box); left == 0 && j.forgotten {
			delete(h.journals, service)
		}
	}
	box.Close()
}

// Forget lets go of the lines of a service of which nothing lives any more. If the
// service comes back, its followers get the new lines.
func (h *Hub) Forget(service string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	j := h.journals[service]
	if j == nil {
		return
	}
	j.forgotten = true
	maps.DeleteFunc(h.stories, func(at place, _ story) bool { return at.service == service })
	if left := j.clear(); left == 0 {
		delete(h.journals, service)
	}
}

// Reopen opens all output files anew, since somebody has moved them away.
func (h *Hub) Reopen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.files {
		k.reopen()
	}
}

// Close reads what is left in the FIFOs and returns when it is written, or after
// the patience at most. FIFOs that somebody still writes to stay where they are.
func (h *Hub) Close(patience time.Duration) {
	h.mu.Lock()
	closed := h.closed
	h.closed = true
	streams := slices.Collect(maps.Keys(h.streams))
	boxes := slices.Collect(maps.Keys(h.boxes))
	sinks := append(slices.Collect(maps.Values(h.files)), h.stdout, h.stderr)
	h.mu.Unlock()
	if closed {
		return
	}
	h.poller.Close()
	cancelled := make(chan struct{})
	timer := time.AfterFunc(patience, func() { close(cancelled) })
	defer timer.Stop()

	drain(streams, cancelled)
	for _, k := range sinks {
		if flushed := k.flushed(); flushed != nil {
			select {
			case <-flushed:
			case <-cancelled:
				k.trouble(fmt.Sprintf("%s takes nothing: not all that services wrote has got there", k.name))
			}
		}
	}
	for _, box := range boxes {
		box.Close()
	}
}

// drain drains the streams. Those of one destination do not wait for another's.
func drain(streams []*stream, cancelled <-chan struct{}) {
	bySink := make(map[*sink][]*stream)
	for _, s := range streams {
		bySink[s.sink] = append(bySink[s.sink], s)
	}
	var all sync.WaitGroup
	for _, streams := range bySink {
		all.Go(func() {
			for _, s := range streams {
				s.drain(cancelled)
			}
		})
	}
	all.Wait()
}

// route is where one stream of a service goes.
type route struct {
	stream Stream
	output config.Output
}

// routes returns what a service writes to: one stream for both, unless stderr is
// given.
func routes(c *config.Service) []route {
	if c.Stderr == "" {
		return []route{{Out, c.Output}}
	}
	return []route{{Out, c.Output}, {Err, c.Stderr}}
}

func captured(o config.Output) bool {
	return o != config.OutputInherit && o != config.OutputNull && o != ""
}

// inherited returns the descriptor of a stream that is not captured.
func inherited(o config.Output, s Stream) int {
	switch {
	case o == config.OutputNull:
		return -1
	case s == Err:
		return 2
	default:
		return 1
	}
}

func (h *Hub) path(service string, generation, instance int, s Stream) string {
	if h.dir == "" {
		return ""
	}
	return filepath.Join(h.dir, fifoName(service, generation, instance, s))
}

// begin reads a FIFO from now on, and closes it if that does not work.
func (h *Hub) begin(capture *Capture, c *config.Service, generation, instance int, r route, f fifo) error {
	s := &stream{
		hub: h, service: c.Name, generation: max(0, generation), instance: instance, kind: r.stream,
		prefix: prefix(c.Name, instance, r.output), tail: capture.tail, fifo: f,
	}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		f.close()
		return os.ErrClosed
	}
	s.journal = h.journal(c.Name)
	s.journal.forgotten = false
	if s.sink = h.sink(c, r); s.sink != nil {
		s.sink.use(1)
	}
	h.streams[s] = true
	h.mu.Unlock()

	if err := s.begin(h.poller); err != nil {
		s.stop(false)
		return err
	}
	capture.streams = append(capture.streams, s)
	return nil
}

// sink returns where a stream goes; nil is nowhere.
func (h *Hub) sink(c *config.Service, r route) *sink {
	path, ok := r.output.File()
	switch {
	case r.output == config.OutputNull:
		return nil
	case !ok && r.stream == Err:
		return h.stderr
	case !ok:
		return h.stdout
	}
	k := h.files[path]
	if k == nil {
		to := &file{path: path, trouble: func(text string) { h.trouble(c.Name, text) }}
		k = h.newSink(c.Name, path, to)
		k.unused = func() { h.forgetFile(path, k) }
		h.files[path] = k
	}
	k.rotate(c)
	return k
}

// rotate sets how the file of a sink is rotated.
func (k *sink) rotate(c *config.Service) {
	if f, ok := k.to.(*file); ok {
		f.rotation.Store(&rotation{c.OutputMaxSize, c.OutputBackups})
	}
}

func (h *Hub) forgetFile(path string, k *sink) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.files[path] == k && k.unneeded() {
		delete(h.files, path)
	}
}

func (h *Hub) forgetStream(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, s)
}

func (h *Hub) journal(service string) *journal {
	j := h.journals[service]
	if j == nil {
		j = &journal{service: service, ring: ring{limit: journalBytes}}
		h.journals[service] = j
	}
	return j
}

// prefix is what goes before the lines of a service.
func prefix(service string, instance int, o config.Output) string {
	switch {
	case o != config.OutputPrefix:
		return ""
	case instance > 0:
		return fmt.Sprintf("%s.%d | ", service, instance)
	default:
		return service + " | "
	}
}
