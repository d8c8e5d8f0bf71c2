//go:build !linux

package poller

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"hupwatch/services/mistake"
)

// Poller tells handlers when their descriptors can be read.
type Poller struct {
	mistakes mistake.Report
	running  sync.WaitGroup

	mu      sync.Mutex // guards what is below, and the state of the descriptors
	watched map[*Descriptor]bool
	closed  bool
}

// Descriptor is one descriptor that is watched. Its methods may be called at any
// time, by any goroutine, and do not block.
type Descriptor struct {
	poller  *Poller
	handler Handler
	file    *os.File // a copy of the descriptor

	paused, removed bool
	changed         *sync.Cond // when one of these changes
}

// New returns a poller that watches nothing yet. A handler that panics is reported,
// and the others are called all the same.
func New(mistakes mistake.Report) (*Poller, error) {
	return &Poller{mistakes: mistakes, watched: make(map[*Descriptor]bool)}, nil
}

// Add watches a descriptor, which must not block and must stay open until Remove.
func (p *Poller) Add(fd int, h Handler) (*Descriptor, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.closed {
		return nil, os.ErrClosed
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	d := &Descriptor{poller: p, handler: h, file: os.NewFile(uintptr(dup), "watched"), changed: sync.NewCond(&p.mu)}
	conn, err := d.file.SyscallConn()
	if err != nil {
		d.file.Close()
		return nil, fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	p.watched[d] = true
	p.running.Go(func() { d.run(conn) }) // ends with Remove or Close
	return d, nil
}

// AddHangup is Add for a descriptor that others read: its handler is called for a
// hang-up only. This system has no such thing.
func (p *Poller) AddHangup(int, Handler) (*Descriptor, error) { return nil, errors.ErrUnsupported }

// Close ends the watching. It returns when no handler is called any more, so no
// handler may call it.
func (p *Poller) Close() {
	p.mu.Lock()
	p.closed = true
	for d := range p.watched {
		d.remove()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// Pause stops the calls until Resume.
func (d *Descriptor) Pause() { d.pause(true) }

// Resume goes on after Pause.
func (d *Descriptor) Resume() { d.pause(false) }

func (d *Descriptor) pause(paused bool) {
	d.poller.mu.Lock()
	defer d.poller.mu.Unlock()
	d.paused = paused
	d.changed.Broadcast()
}

// Remove ends the watching of the descriptor, which may be closed after it.
func (d *Descriptor) Remove() {
	d.poller.mu.Lock()
	defer d.poller.mu.Unlock()
	d.remove()
}

func (d *Descriptor) remove() {
	if d.removed {
		return
	}
	d.removed = true
	delete(d.poller.watched, d)
	d.file.Close()
	d.changed.Broadcast()
}

func (d *Descriptor) run(conn syscall.RawConn) {
	readable := func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n != 0 || err != nil
	}
	for conn.Read(readable) == nil && d.wanted() {
		buffer := buffers.Get().(*[BufferSize]byte)
		d.poller.mistakes.Do("read what came", func() { d.handler.Readable(d, buffer[:]) })
		buffers.Put(buffer)
	}
}

var buffers = sync.Pool{New: func() any { return new([BufferSize]byte) }}

// wanted waits while it is paused, and reports whether it is still watched.
func (d *Descriptor) wanted() bool {
	d.poller.mu.Lock()
	defer d.poller.mu.Unlock()
	for d.paused && !d.removed {
		d.changed.Wait()
	}
	return !d.removed
}
