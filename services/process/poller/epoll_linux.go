package poller

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"hupwatch/services/mistake"
)

// Poller tells handlers when their descriptors can be read.
type Poller struct {
	mistakes mistake.Report
	// epoll is itself waited for by the runtime, which takes no thread.
	epoll *os.File
	fd    int
	done  chan struct{}

	mu      sync.Mutex // guards what is below
	last    int32
	watched map[int32]*Descriptor
	closed  bool
}

// Descriptor is one descriptor that is watched. Its methods may be called at any
// time, by any goroutine, and do not block.
type Descriptor struct {
	poller  *Poller
	handler Handler
	fd      int
	events  uint32
	// id tells it from a later one with the same number: an event of this one that
	// is still on its way must not be taken for one of that.
	id int32

	paused, removed bool // the poller's, under its lock
}

// New returns a poller that watches nothing yet. A handler that panics is reported,
// and the others are called all the same.
func New(mistakes mistake.Report) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that the runtime waits for it
		unix.Close(fd)
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	p := &Poller{
		mistakes: mistakes, epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd,
		done: make(chan struct{}), watched: make(map[int32]*Descriptor),
	}
	conn, err := p.epoll.SyscallConn()
	if err != nil {
		p.epoll.Close()
		return nil, fmt.Errorf("wait for epoll: %w", err)
	}
	go p.run(conn) // ends with Close, which waits for it
	return p, nil
}

// Add watches a descriptor, which must not block and must stay open until Remove.
func (p *Poller) Add(fd int, h Handler) (*Descriptor, error) {
	return p.add(fd, unix.EPOLLIN, h)
}

// AddHangup is Add for a descriptor that others read, like a listening socket:
// the handler is called when it hangs up, once each time, and for nothing else.
func (p *Poller) AddHangup(fd int, h Handler) (*Descriptor, error) {
	// Edge-triggered, since no read here takes a hang-up away.
	return p.add(fd, unix.EPOLLRDHUP|unix.EPOLLET, h)
}

func (p *Poller) add(fd int, events uint32, h Handler) (*Descriptor, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.closed {
		return nil, os.ErrClosed
	}
	d := &Descriptor{poller: p, handler: h, fd: fd, events: events, id: p.unused()}
	if err := d.control(unix.EPOLL_CTL_ADD, events); err != nil {
		return nil, fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	p.watched[d.id] = d
	return d, nil
}

// Close ends the watching. It returns when no handler is called any more, so no
// handler may call it.
func (p *Poller) Close() {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.mu.Unlock()
	if !closed {
		p.epoll.Close()
	}
	<-p.done
}

// Pause stops the calls until Resume.
func (d *Descriptor) Pause() {
	// A hang-up is reported even if no event is asked for, but edge-triggered only
	// once. To take the descriptor out and in again could fail; this cannot.
	d.pause(true, unix.EPOLLET)
}

// Resume goes on after Pause.
func (d *Descriptor) Resume() { d.pause(false, d.events) }

func (d *Descriptor) pause(paused bool, events uint32) {
	d.poller.mu.Lock()
	defer d.poller.mu.Unlock()
	if d.paused == paused || d.removed || d.poller.closed {
		return
	}
	d.paused = paused
	_ = d.control(unix.EPOLL_CTL_MOD, events)
}

// Remove ends the watching of the descriptor, which may be closed after it.
func (d *Descriptor) Remove() {
	d.poller.mu.Lock()
	defer d.poller.mu.Unlock()
	if d.removed {
		return
	}
	d.removed = true
	delete(d.poller.watched, d.id)
	if !d.poller.closed {
		// Closing it is not enough: a child between fork and exec may have a copy.
		_ = d.control(unix.EPOLL_CTL_DEL, 0)
	}
}

func (p *Poller) unused() int32 {
	for {
		p.last++
		if p.last == math.MaxInt32 {
			p.last = 1
		}
		if p.watched[p.last] == nil {
			return p.last
		}
	}
}

func (d *Descriptor) control(op int, events uint32) error {
	return unix.EpollCtl(d.poller.fd, op, d.fd, &unix.EpollEvent{Events: events, Fd: d.id})
}

// run calls the handlers. It takes events as they are, level-triggered: what was
// not read to the end is reported again, behind the others.
func (p *Poller) run(conn syscall.RawConn) {
	defer close(p.done)
	var (
		events [64]unix.EpollEvent
		buffer = make([]byte, BufferSize)
		n      int
		err    error
	)
	wait := func(fd uintptr) bool {
		n, err = unix.EpollWait(int(fd), events[:], 0)
		return n != 0
	}
	for {
		if conn.Read(wait) != nil {
			return // closed
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			panic(fmt.Sprintf("wait for descriptors: %v", err))
		}
		for _, e := range events[:max(n, 0)] {
			if d := p.wanted(e.Fd); d != nil {
				p.mistakes.Do("read what came", func() { d.handler.Readable(d, buffer) })
			}
		}
	}
}

// wanted returns the descriptor of an event; nil if its handler must not be called.
func (p *Poller) wanted(id int32) *Descriptor {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.watched[id]
	if d == nil || d.paused || p.closed {
		return nil
	}
	return d
}
