package output

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"hupwatch/services/mistake"
	"hupwatch/services/process/poller"
	"hupwatch/services/visible"
)

// How much may wait for a destination, and for how long that may hold up the services
// that write to it.
const (
	queueBytes = 256 << 10
	// queueMost is what is queued at the very most. There is room for what one buffer
	// can grow to, 16 KiB of line ends with a name before each, so that nothing is
	// lost if nothing is stuck.
	queueMost = queueBytes + 2<<20
	patience  = 2 * time.Second
)

// destination is where a sink writes to.
type destination interface {
	// write writes the beginning of the text, as much as is good to write at
	// once, and returns how much that was.
	write(text []byte) (int, error)
	// await returns when it may take more, after EAGAIN.
	await()
	// open opens it, or opens it anew.
	open() error
	close()
}

// sink is the queue in front of one destination. Its goroutine exists only while
// there is something to do, and is the only one that a hanging destination
// holds up.
type sink struct {
	name    string // for messages
	to      destination
	trouble func(text string)
	// mistakes is told of a destination that panics.
	mistakes mistake.Report
	unused   func() // called when nobody uses it any more and everything is written

	mu      sync.Mutex // guards what is below
	pending []byte
	writing int     // bytes that were taken from pending and are not written yet
	within  *stream // pending ends in the middle of a line of this one
	running bool
	users   int
	opening bool // it is to be opened, or opened anew
	closing bool // it is to be closed

	waiting []*poller.Descriptor // paused until there is room
	stuck   *time.Timer          // runs out when they waited for too long
	moved   time.Time            // when something was written last
	tired   bool                 // no more waiting: what does not fit is lost
	lost    int                  // lines that are lost and not announced there yet
	gone    int                  // lost lines since it worked last
	why     string               // the reason of the loss
	broken  bool                 // the last write went wrong

	room, idle []chan struct{} // to be closed when there is room, or nothing to do

	// The rest is run's.
	torn  bool   // the last write ended within a line and will not go on
	spare []byte // to queue in while pending is written
}

// admit reports whether there is room. Otherwise the descriptor is paused until
// there is.
func (k *sink) admit(d *poller.Descriptor) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tired || !k.full() {
		return true
	}
	d.Pause()
	if len(k.waiting) == 0 {
		k.moved = time.Now()
		k.stuck = time.AfterFunc(patience, k.wait)
	}
	k.waiting = append(k.waiting, d)
	return false
}

func (k *sink) full() bool { return len(k.pending)+k.writing >= queueBytes }

// wait ends the waiting for a destination that takes nothing: lines are lost instead.
func (k *sink) wait() {
	k.mu.Lock()
	left := patience - time.Since(k.moved)
	switch {
	case len(k.waiting) == 0:
		k.mu.Unlock()
		return
	case left > 0:
		k.stuck.Reset(left)
		k.mu.Unlock()
		return
	}
	k.tired = true
	k.why = "it took nothing for a while"
	k.resume()
	k.mu.Unlock()
	k.trouble(fmt.Sprintf("%s has taken nothing for %v: what services write there is lost until it does", k.name, patience))
}

func (k *sink) resume() {
	for _, d := range k.waiting {
		d.Resume()
	}
	k.waiting = nil
	closeAll(k.room)
	k.room = nil
	if k.stuck != nil {
		k.stuck.Stop()
	}
}

// put queues a piece of a line, or counts it as lost. With a prefix, that goes
// before each line, and what could do harm in the line is escaped. Without one, the
// line is written as it is.
func (k *sink) put(s *stream, p piece) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.pending)+k.writing >= queueMost || k.tired && k.full() {
		k.lose(1)
		if k.within == s {
			k.interrupt()
		}
		return
	}
	if s.prefix != "" {
		if !p.blank() {
			k.pending = append(k.pending, s.prefix...)
			k.pending = append(visible.Append(k.pending, p.line()), '\n')
		}
		return
	}
	if k.within != s {
		k.interrupt()
	}
	k.pending = append(k.pending, p.text...)
	k.within = s
	if p.last {
		k.pending, k.within = append(k.pending, '\n'), nil
	}
}

func (k *sink) lose(lines int) {
	k.lost += lines
	k.gone += lines
}

// interrupt ends a line that somebody has begun and cannot go on with.
func (k *sink) interrupt() {
	if k.within != nil {
		k.pending, k.within = append(k.pending, '\n'), nil
	}
}

// kick sees to it that what is queued is written.
func (k *sink) kick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.running && (k.busy() || k.opening) {
		k.running = true
		go k.run() // ends when there is nothing to do; Close waits for it
	}
}

func (k *sink) busy() bool {
	return len(k.pending) > 0 || k.closing || k.lost > 0 && !k.broken
}

// use is called with 1 when a stream begins to use the sink, and with -1 when it ends.
func (k *sink) use(users int) {
	k.mu.Lock()
	k.users += users
	k.opening = k.opening || users > 0
	k.closing = k.users == 0
	k.mu.Unlock()
	k.kick()
}

// unneeded reports whether nobody uses it and there is nothing left to be written.
func (k *sink) unneeded() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.users == 0 && len(k.pending) == 0 && k.lost == 0
}

// reopen opens the destination anew.
func (k *sink) reopen() {
	k.mu.Lock()
	k.opening = true
	k.mu.Unlock()
	k.kick()
}

// vacant returns a channel that is closed when there is room, nil if there is
// some now.
func (k *sink) vacant() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tired || !k.full() {
		return nil
	}
	c := make(chan struct{})
	k.room = append(k.room, c)
	return c
}

// flushed returns a channel that is closed when everything was written, nil if
// it is now.
func (k *sink) flushed() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.running {
		return nil
	}
	c := make(chan struct{})
	k.idle = append(k.idle, c)
	return c
}

func (k *sink) run() {
	for more := true; more; {
		k.mistakes.Do("write to "+k.name, func() { more = k.turn() })
	}
}

// turn writes what is queued, and reports whether there may be more to do.
func (k *sink) turn() bool {
	k.mu.Lock()
	opening, closing := k.opening, k.closing && len(k.pending) == 0
	if !opening && !k.busy() {
		k.running, k.pending, k.spare = false, nil, nil
		closeAll(k.idle)
		k.idle = nil
		k.mu.Unlock()
		return false
	}
	batch := k.pending
	k.pending, k.writing = k.spare, len(batch)
	k.spare, k.opening = nil, false
	if closing {
		k.closing = false
	}
	k.mu.Unlock()

	if opening && !closing {
		if err := k.to.open(); err != nil {
			k.fail(nil, err)
		}
	}
	k.write(batch)
	if closing {
		k.to.close()
		k.unused()
	}
	k.spare = batch[:0]
	return true
}

// write writes a batch, and before it how many lines are missing there.
func (k *sink) write(batch []byte) {
	notice, lost := k.notice()
	if len(notice)+len(batch) == 0 {
		return
	}
	if _, err := k.writeAll(notice, func(int) { k.progress(0) }); err != nil {
		k.fail(batch, err)
		return
	}
	k.announced(lost)
	if rest, err := k.writeAll(batch, k.progress); err != nil {
		k.fail(rest, err)
		return
	}
	k.works()
}

// writeAll writes a text and returns what was left of it by an error.
func (k *sink) writeAll(text []byte, progress func(n int)) (rest []byte, err error) {
	for len(text) > 0 {
		n, err := k.to.write(text)
		if n > 0 {
			k.torn = text[n-1] != '\n'
			text = text[n:]
			progress(n)
		}
		switch {
		case errors.Is(err, syscall.EAGAIN):
			k.to.await()
		case err != nil:
			return text, err
		}
	}
	k.torn = false // it goes on with the next batch
	return nil, nil
}

// notice returns the line that says how many are missing, if any are.
func (k *sink) notice() (text []byte, lost int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lost == 0 {
		return nil, 0
	}
	if k.torn {
		text = []byte("\n")
	}
	return fmt.Appendf(text, "hupwatch: %d lines are missing here: %s\n", k.lost, k.why), k.lost
}

func (k *sink) announced(lost int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lost -= lost
}

// progress notes that something was written. Once half of the queue is free, the
// streams that wait go on.
func (k *sink) progress(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.writing -= n
	k.moved = time.Now()
	k.tired = false
	if len(k.pending)+k.writing <= queueBytes/2 {
		k.resume()
	}
}

// fail counts what could not be written, and says why, once.
func (k *sink) fail(rest []byte, err error) {
	k.progress(len(rest))
	k.mu.Lock()
	said := k.broken
	k.broken, k.why = true, err.Error()
	k.lose(bytes.Count(rest, []byte("\n")))
	if len(rest) > 0 && rest[len(rest)-1] != '\n' {
		k.lose(1)
	}
	k.mu.Unlock()
	if !said {
		k.trouble(fmt.Sprintf("%s: %v: what services write there is lost until it works again", k.name, err))
	}
}

// works notes that a whole batch was written.
func (k *sink) works() {
	k.mu.Lock()
	broken, gone := k.broken, k.gone
	k.broken, k.gone = false, 0
	k.mu.Unlock()
	if broken || gone > 0 {
		k.trouble(fmt.Sprintf("%s works again; %d lines were lost", k.name, gone))
	}
}

func closeAll(channels []chan struct{}) {
	for _, c := range channels {
		close(c)
	}
}
