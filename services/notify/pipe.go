package notify

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
	"hupwatch/services/process/poller"
)

// Pipe is what one generation writes a newline to when it is ready. Its methods may
// be called by any goroutine, also from hear, and do not block.
type Pipe struct {
	server *Server
	hear   func(ready bool)

	mu      sync.Mutex // guards what is below
	reader  int        // ours, which does not block; -1 once it is closed
	writer  int        // the generation's, which does; -1 once it is closed
	watched *poller.Descriptor
	pace    pace
	held    bool // not read for now
	told    bool // hear was called
	ready   bool // a newline was read
}

// Pipe makes the pipe of one generation, whose program runs as another user if as is
// given.
//
// hear is called once: with true when the generation writes a newline, whatever
// comes before it; or with false when it closes its end without one. The goroutine
// that reads everything calls it, so it must not block. A call that is on its way may
// come after Close.
func (s *Server) Pipe(as *process.Credential, hear func(ready bool)) (*Pipe, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	p := &Pipe{server: s, hear: hear, reader: -1, writer: -1}
	err := s.begin()
	if err == nil {
		err = p.begin(s.poller, as)
	}
	if err != nil {
		return nil, fmt.Errorf("open a pipe for readiness: %w", err)
	}
	s.pipes[p] = true
	return p, nil
}

// WriteEnd is the descriptor that the generation gets. hupwatch's copy is closed on
// exec.
func (p *Pipe) WriteEnd() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writer
}

// Forked closes hupwatch's copy of the generation's end. While that is open, hupwatch
// cannot notice that the generation has closed its own.
func (p *Pipe) Forked() {
	p.mu.Lock()
	defer p.mu.Unlock()
	closeEnd(&p.writer)
}

// Close ends the hearing. A generation that writes after it gets SIGPIPE.
func (p *Pipe) Close() {
	p.mu.Lock()
	p.close()
	p.mu.Unlock()
	p.server.forgetPipe(p)
}

func (p *Pipe) begin(by *poller.Poller, as *process.Credential) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reader, p.writer, err = openPipe(); err != nil {
		return err
	}
	if as != nil { // a shell may open /dev/fd/N anew
		err = unix.Fchown(p.reader, int(as.UID), int(as.GID))
	}
	if err == nil {
		p.watched, err = by.Add(p.reader, p)
	}
	if err != nil {
		p.close()
	}
	return err
}

func (p *Pipe) close() {
	if p.watched != nil {
		p.watched.Remove()
	}
	closeEnd(&p.reader)
	closeEnd(&p.writer)
}

// Readable implements poller.Handler. It reads on after the newline, since what the
// generation then writes must neither kill nor stall it.
func (p *Pipe) Readable(d *poller.Descriptor, buffer []byte) {
	p.mu.Lock()
	call, ready := p.read(d, buffer)
	ended := p.reader < 0
	p.mu.Unlock()

	if call {
		p.hear(ready)
	}
	if ended {
		p.server.forgetPipe(p)
	}
}

// CatchUp reads what is there already, and reports whether a newline was ever read. So
// what a process said before its end is known before that end is judged. hear may be
// called for it too.
func (p *Pipe) CatchUp() (ready bool) {
	buffer := make([]byte, poller.BufferSize)
	p.mu.Lock()
	defer p.mu.Unlock()
	for range mostLeft {
		if p.reader < 0 || p.ready {
			break
		}
		n, err := unix.Read(p.reader, buffer)
		if err != nil && !errors.Is(err, unix.EINTR) || err == nil && n == 0 {
			break // nothing more now, or its end, which is noticed elsewhere
		}
		p.ready = bytes.IndexByte(buffer[:max(n, 0)], '\n') >= 0
	}
	return p.ready
}

// read reads once. It reports whether hear is to be called, and with what.
func (p *Pipe) read(d *poller.Descriptor, buffer []byte) (call, ready bool) {
	if p.reader < 0 || p.held {
		return false, false
	}
	now := time.Now()
	p.pace.begin(now)
	if !p.pace.read() {
		p.held = true
		d.Pause()
		time.AfterFunc(p.pace.end.Sub(now), func() { p.release(d) })
		return false, false
	}
	n, err := unix.Read(p.reader, buffer)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return false, false
	case err != nil || n == 0:
		p.close()
	case bytes.IndexByte(buffer[:n], '\n') >= 0:
		p.ready = true
	default:
		if !p.ready || p.told { // CatchUp may have read it
			return false, false
		}
	}
	call = !p.told
	p.told = true
	return call, p.ready
}

// release has the pipe read again.
func (p *Pipe) release(d *poller.Descriptor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
	d.Resume()
}

func closeEnd(fd *int) {
	if *fd >= 0 {
		unix.Close(*fd)
		*fd = -1
	}
}
