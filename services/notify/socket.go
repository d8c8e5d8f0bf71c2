package notify

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
	"hupwatch/services/process/poller"
)

// maxDatagram is the longest datagram that is read, as systemd has it. What is left
// of a poller's buffer is enough for all descriptors that come with it.
const maxDatagram = 4096

// mostSent is how many descriptors Linux lets a datagram carry.
const mostSent = 253

// mostLeft is how many datagrams, or buffers of a pipe, Close and CatchUp still read.
// Linux keeps eleven datagrams by default, and somebody may still be sending.
const mostLeft = 64

// statusEvery is how often hear is called for a mere Status.
const statusEvery = time.Second

// Socket is where one generation says how it is. Its methods may be called by any
// goroutine, also from hear, and do not block.
type Socket struct {
	server  *Server
	service string
	path    string
	as      *process.Credential
	hear    func(*Socket)

	mu       sync.Mutex // guards what is below
	fd       int        // -1 once it is closed
	watched  *poller.Descriptor
	pace     pace
	held     bool // not read for now
	message  Message
	called   bool // hear was called, and nothing was taken since
	statusAt time.Time
	refused  int
}

// Path is the value of NOTIFY_SOCKET for the generation.
func (k *Socket) Path() string { return k.path }

// Take returns what was said since it was last called.
func (k *Socket) Take() Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.message
	k.message, k.called = Message{Status: m.Status}, false
	return m
}

// Close removes the socket. What was sent before, like the last words of a process
// that has ended, can be taken after it, but hear is not called.
func (k *Socket) Close() {
	k.mu.Lock()
	if k.fd < 0 {
		k.mu.Unlock()
		return
	}
	_ = os.Remove(k.path) // a later hupwatch does, if this one cannot
	k.watched.Remove()
	discarded := k.receiveAll()
	discarded = append(discarded, k.fd)
	k.fd = -1
	k.mu.Unlock()

	k.server.forgetSocket(k)
	k.server.closeAll(k.service, discarded, func() {})
}

// CatchUp reads what is there already: what was said before an end can be taken
// before that end is judged.
func (k *Socket) CatchUp() {
	k.mu.Lock()
	var discarded []int
	if k.fd >= 0 {
		discarded = k.receiveAll()
	}
	k.mu.Unlock()
	if len(discarded) > 0 {
		k.server.closeAll(k.service, discarded, func() {})
	}
}

// receiveAll takes in what is there, up to a limit. The descriptors that came with
// it are to be closed.
func (k *Socket) receiveAll() (discarded []int) {
	buffer := make([]byte, poller.BufferSize)
	for range mostLeft {
		got, fds := k.receive(buffer)
		discarded = append(discarded, fds...)
		if !got || len(discarded) >= mostSent {
			break
		}
	}
	return discarded
}

// begin makes the socket and has it read from now on.
func (k *Socket) begin(p *poller.Poller) (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fd, err = newSocket(); err != nil {
		return err
	}
	if err = k.bind(); err == nil {
		k.watched, err = p.Add(k.fd, k)
	}
	if err != nil {
		_ = os.Remove(k.path)
		unix.Close(k.fd)
		k.fd = -1
	}
	return err
}

// bind gives the socket its path, which only the user of the generation may use.
func (k *Socket) bind() error {
	if err := passCredentials(k.fd); err != nil { // first, so that no datagram comes without them
		return err
	}
	address := &unix.SockaddrUnix{Name: k.path}
	err := unix.Bind(k.fd, address)
	if errors.Is(err, unix.EADDRINUSE) {
		// It is none of ours.
		if err = os.Remove(k.path); err == nil {
			err = unix.Bind(k.fd, address)
		}
	}
	if err == nil {
		err = os.Chmod(k.path, 0o600)
	}
	if err == nil && k.as != nil {
		err = os.Lchown(k.path, int(k.as.UID), int(k.as.GID))
	}
	return err
}

// Readable implements poller.Handler. It reads one datagram, if it may now, and
// calls hear for what is new in it.
func (k *Socket) Readable(d *poller.Descriptor, buffer []byte) {
	k.mu.Lock()
	if k.fd < 0 || k.held {
		k.mu.Unlock()
		return
	}
	now := time.Now()
	k.pace.begin(now)
	if !k.pace.read() {
		k.held = true
		d.Pause()
		time.AfterFunc(k.pace.end.Sub(now), func() { k.release(d) })
		k.mu.Unlock()
		return
	}
	before := k.message
	_, fds := k.receive(buffer)
	call := k.news(before, now)
	if len(fds) > 0 {
		k.held = true
		d.Pause()
	}
	k.mu.Unlock()

	if call {
		k.hear(k)
	}
	if len(fds) > 0 {
		k.discard(d, fds)
	}
}

// receive takes one datagram in. The descriptors that came with it are to be
// closed.
func (k *Socket) receive(buffer []byte) (got bool, fds []int) {
	datagram, sender, fds, err := receive(k.fd, buffer[:maxDatagram], buffer[maxDatagram:])
	switch {
	case errors.Is(err, errTooLong), err == nil && !k.admits(sender):
		k.refused++
	case err != nil:
		return false, fds
	default:
		k.message.add(datagram)
	}
	return true, fds
}

// admits reports whether what a user sends counts.
func (k *Socket) admits(u user) bool {
	return u == anybody || u == 0 || u == user(os.Geteuid()) || k.as != nil && u == user(k.as.UID)
}

// news reports whether hear is to be called for what has changed.
func (k *Socket) news(before Message, now time.Time) bool {
	if k.called || k.message == before {
		return false
	}
	before.Status = k.message.Status
	if k.message == before { // but for the status
		if now.Sub(k.statusAt) < statusEvery {
			return false
		}
		k.statusAt = now
	}
	k.called = true
	return true
}

// discard closes the descriptors that a generation has sent. With a BARRIER=1, that
// shows it that all it said before was heard. A close may take as long as the
// generation wants, for example on a file system of its own, so nothing more is read
// from it meanwhile.
func (k *Socket) discard(d *poller.Descriptor, fds []int) {
	k.server.closeAll(k.service, fds, func() { k.release(d) })
}

// release has the socket read again.
func (k *Socket) release(d *poller.Descriptor) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = false
	d.Resume()
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
