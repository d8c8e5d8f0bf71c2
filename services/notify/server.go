// Package notify hears what services say of themselves: over a socket as
// sd_notify(3) does, or by a newline on a pipe as s6 has it.
//
//	process ──▶ socket ─┐                        ┌▶ Socket.Take, when it is called for
//	process ──▶ socket ─┼▶ one poller ──▶ hear ──┤
//	process ──▶ pipe ───┘                        └▶ ready, or never
//
// Each generation has a socket of its own, so that the pid of a sender, which may be
// another process's by now, does not matter. All that a service can say is kept in one
// Message of bounded size, and is read no faster than pace allows: a service that
// sends as fast as it can has to wait, and no other does.
package notify

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"hupwatch/services/mistake"
	"hupwatch/services/process"
	"hupwatch/services/process/poller"
)

// maxPath is how many bytes a socket's path may have on every system: some have room
// for 104 with the zero at the end, Linux for 108.
const maxPath = 103

// mostClosing is at how many closes under way a service gets no new socket: see
// discard. Only descriptors made for that take long to close; each may cost a thread.
const mostClosing = 16

// Server has the sockets and pipes of all generations. Its methods may be called by
// any goroutine.
type Server struct {
	// Mistakes is told of what panics here. It is set before anything is opened.
	Mistakes mistake.Report
	// Lost is called if the directory is gone, with all that was in it. It makes the
	// one above it again, if need be. Nil does nothing; it is set before anything is
	// opened.
	Lost func() error

	// Never taken while the lock of a socket or pipe is held.
	mu        sync.Mutex // guards what is below
	dir       string
	temporary bool // the directory is a fresh one
	made      bool // the directory was made
	poller    *poller.Poller
	sockets   map[string]*Socket // by path
	pipes     map[*Pipe]bool
	closing   map[string]int // closes that are under way, by service
	closed    bool
}

// New returns a server whose sockets are in a directory that only it uses, and that
// is made with the first of them. Empty is a fresh one among the temporary files,
// which Close removes. As long as nothing is opened, a server costs nothing.
func New(dir string) *Server {
	return &Server{dir: dir, temporary: dir == "", sockets: make(map[string]*Socket), pipes: make(map[*Pipe]bool), closing: make(map[string]int)}
}

// Open makes the socket of one generation, whose program runs as another user if as
// is given. Only that user, hupwatch's own and root are listened to. The path is
// always the same for a generation: one that an earlier hupwatch started is heard
// again once its socket is opened anew.
//
// hear is called when there is something to Take, and not again before that is taken.
// The goroutine that reads everything calls it, so it must not block. A call that is
// on its way may come after Close.
func (s *Server) Open(service string, generation int, as *process.Credential, hear func(*Socket)) (*Socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	err := s.begin()
	if err == nil {
		err = s.makeDirectory()
	}
	if err != nil {
		return nil, fmt.Errorf("open a notify socket: %w", err)
	}
	path, err := s.path(service, generation)
	if err == nil && s.sockets[path] != nil {
		err = os.ErrExist
	}
	if err == nil && s.closing[service] >= mostClosing {
		err = errHangs
	}
	if err != nil {
		return nil, fmt.Errorf("open notify socket of generation %d: %w", generation, err)
	}
	k := &Socket{server: s, service: service, path: path, as: as, hear: hear}
	err = k.begin(s.poller)
	if errors.Is(err, os.ErrNotExist) {
		if err = s.makeAgain(); err == nil {
			err = k.begin(s.poller)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open notify socket %s: %w", path, err)
	}
	s.sockets[path] = k
	return k, nil
}

var errHangs = errors.New("the close of descriptors that earlier ones sent hangs: have the service send none, or restart hupwatch")

// Close ends the hearing. The paths are gone after it, but processes that go on
// may still be heard by a later hupwatch.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	p := s.poller
	sockets := slices.Collect(maps.Values(s.sockets))
	pipes := slices.Collect(maps.Keys(s.pipes))
	s.mu.Unlock()

	if p != nil {
		p.Close()
	}
	for _, k := range sockets {
		k.Close()
	}
	for _, p := range pipes {
		p.Close()
	}
	if s.temporary && s.made {
		_ = os.Remove(s.dir) // nobody minds an empty one
	}
}

// begin makes the poller, when there is a first descriptor to be read.
func (s *Server) begin() (err error) {
	if s.closed {
		return os.ErrClosed
	}
	if s.poller == nil {
		s.poller, err = poller.New(s.Mistakes)
	}
	return err
}

// makeDirectory makes a directory in which every user can reach a socket, and which
// only hupwatch's can list. It removes old sockets there, which nobody reads.
func (s *Server) makeDirectory() (err error) {
	if s.made {
		return nil
	}
	if s.temporary {
		s.dir, err = os.MkdirTemp("", "hupwatch-")
	} else {
		s.dir, err = filepath.Abs(s.dir)
	}
	if err == nil {
		err = s.mkdir()
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Type() == os.ModeSocket {
			_ = os.Remove(filepath.Join(s.dir, entry.Name())) // else Open will say so
		}
	}
	s.made = true
	return nil
}

// makeAgain makes the directory that is gone. A fresh one keeps its name: processes that
// run have it.
func (s *Server) makeAgain() error {
	if s.Lost != nil {
		if err := s.Lost(); err != nil {
			return err
		}
	}
	return s.mkdir()
}

// mkdir makes the directory if it is not there.
func (s *Server) mkdir() error {
	if err := os.Mkdir(s.dir, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.Chmod(s.dir, 0o711) // whatever the umask
}

// path is SERVICE.GENERATION in the directory. If a long name does not fit, a
// number that stands for it takes its place.
func (s *Server) path(service string, generation int) (string, error) {
	path := filepath.Join(s.dir, fmt.Sprintf("%s.%d", service, generation))
	if len(path) > maxPath {
		h := fnv.New64a()
		h.Write([]byte(service))
		path = filepath.Join(s.dir, fmt.Sprintf("%016x.%d", h.Sum64(), generation))
	}
	if len(path) > maxPath {
		return "", fmt.Errorf("%s is too long a path for a socket, which may have %d bytes: choose a shorter daemon.runtime_dir", path, maxPath)
	}
	return path, nil
}

// closeAll closes what came from a service. That may take as long as the service
// wants. After it, then is called.
func (s *Server) closeAll(service string, fds []int, then func()) {
	s.count(service, 1)
	go func() { // ends when they are closed
		defer s.Mistakes.Contain("close what a service sent")
		closeAll(fds)
		s.count(service, -1)
		then()
	}()
}

func (s *Server) count(service string, more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing[service] += more; s.closing[service] == 0 {
		delete(s.closing, service)
	}
}

func (s *Server) forgetSocket(k *Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sockets, k.path)
}

func (s *Server) forgetPipe(p *Pipe) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pipes, p)
}
