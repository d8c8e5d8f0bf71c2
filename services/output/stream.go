package output

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/process/poller"
	"hupwatch/services/visible"
)

// mostLeft bounds what is read at once from what a process left behind: no FIFO
// holds more, but something may still be writing.
const mostLeft = 1 << 20

// stream is what one generation writes to one FIFO, and where that goes.
type stream struct {
	hub        *Hub
	service    string
	generation int
	instance   int
	kind       Stream
	sink       *sink  // nil is nowhere
	prefix     string // before each line, or empty for lines as they are
	journal    *journal
	tail       *journal

	mu      sync.Mutex // guards what is below
	fifo    fifo
	watched *poller.Descriptor
	lines   splitter
	last    time.Time   // when something was read last
	prompt  *time.Timer // runs out when that was a line without an end
}

// begin has the FIFO read from now on.
func (s *stream) begin(p *poller.Poller) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fifo.reader < 0 {
		return os.ErrClosed
	}
	var err error
	s.watched, err = p.Add(s.fifo.reader, s)
	return err
}

// Readable implements poller.Handler.
func (s *stream) Readable(d *poller.Descriptor, buffer []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fifo.reader >= 0 && (s.sink == nil || s.sink.admit(d)) {
		s.read(buffer)
	}
}

// forked closes hupwatch's copy of the process's end.
func (s *stream) forked() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fifo.closeWriter()
}

// catchUp reads what is there already. It does not block.
func (s *stream) catchUp() {
	buffer := make([]byte, poller.BufferSize)
	s.mu.Lock()
	defer s.mu.Unlock()
	for left := mostLeft; left > 0 && s.fifo.reader >= 0; {
		n := s.read(buffer)
		if n == 0 {
			return
		}
		left -= n
	}
}

// rest returns the beginning of a line whose end was not read yet.
func (s *stream) rest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(visible.Append(nil, s.lines.rest))
}

// drain reads what is there already, waits if there is no room for it, and
// ends the reading.
func (s *stream) drain(cancelled <-chan struct{}) {
	defer s.stop(false)
	buffer := make([]byte, poller.BufferSize)
	for left := mostLeft; left > 0; {
		if room := s.room(); room != nil {
			select {
			case <-room:
				continue
			case <-cancelled:
				return
			}
		}
		s.mu.Lock()
		n := 0
		if s.fifo.reader >= 0 {
			n = s.read(buffer)
		}
		s.mu.Unlock()
		if n == 0 {
			return
		}
		left -= n
	}
}

// stop ends the reading, whatever there is still to read.
func (s *stream) stop(remove bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if remove {
		s.fifo.remove()
	}
	s.end()
}

func (s *stream) room() <-chan struct{} {
	if s.sink == nil {
		return nil
	}
	return s.sink.vacant()
}

// read takes in what one buffer holds, and returns how much that was. At the end
// of the FIFO, or on an error, it ends the stream and removes the FIFO.
func (s *stream) read(buffer []byte) int {
	n, err := unix.Read(s.fifo.reader, buffer)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(s.fifo.reader, buffer)
	}
	switch {
	case n > 0:
		s.take(buffer[:n])
		return n
	case errors.Is(err, unix.EAGAIN):
		return 0
	case err != nil: // left open, it would stall the service some day
		s.hub.trouble(s.service, fmt.Sprintf("read the output of generation %d: %v: it is not read any more", s.generation, err))
	}
	s.fifo.remove()
	s.end()
	return 0
}

// end closes the FIFO. What there is of a last line is still put.
func (s *stream) end() {
	if s.fifo.reader < 0 {
		return
	}
	if s.watched != nil {
		s.watched.Remove()
	}
	s.fifo.close()
	if s.prompt != nil {
		s.prompt.Stop()
		s.prompt = nil
	}
	if p, ok := s.lines.flush(); ok {
		s.put(p, time.Now().UnixNano())
	}
	if s.sink != nil {
		s.sink.use(-1)
	}
	s.hub.forgetStream(s)
}

func (s *stream) take(text []byte) {
	s.last = time.Now()
	now := s.last.UnixNano()
	for p := range s.lines.split(text) {
		s.put(p, now)
	}
	s.await()
	if s.sink != nil {
		s.sink.kick()
	}
}

// promptAfter is for how long the rest of a line is waited for. Then what there is of it
// is shown: it may be a question.
const promptAfter = 500 * time.Millisecond

// await sees to it that a line without an end is shown some time.
func (s *stream) await() {
	if len(s.lines.rest) > 0 && s.prompt == nil {
		s.prompt = time.AfterFunc(promptAfter, func() { s.hub.mistakes.Do("show the output of "+s.service, s.showPrompt) })
	}
}

func (s *stream) showPrompt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fifo.reader < 0 || len(s.lines.rest) == 0 {
		s.prompt = nil
		return
	}
	left := promptAfter - time.Since(s.last)
	if waiting(s.fifo.reader) { // hupwatch is behind, or was paused
		left = promptAfter
	}
	if left > 0 {
		s.prompt.Reset(left)
		return
	}
	s.prompt = nil
	if p, ok := s.lines.show(); ok {
		s.put(p, time.Now().UnixNano())
		if s.sink != nil {
			s.sink.kick()
		}
	}
}

// waiting reports whether there is something to read.
func waiting(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLIN != 0
}

// put keeps a piece before it passes it on: what a person has seen is in the logs.
func (s *stream) put(p piece, now int64) {
	if !p.blank() {
		e := entry{at: now, generation: s.generation, instance: s.instance, stream: s.kind, text: p.line()}
		s.journal.add(e)
		s.tail.add(e)
	}
	if s.sink != nil {
		s.sink.put(s, p)
	}
}
