package sockets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/services/process/poller"
)

// watchedFor is what inotify reports of a directory: a name is gone, or another file
// has it. A new name is of no use to a Guard, which wants the old file back.
// awaitedFor is for a Holdback, which waits for a new one.
const (
	watchedFor = unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_ONLYDIR | unix.IN_MASK_ADD
	awaitedFor = watchedFor | unix.IN_CREATE | unix.IN_ATTRIB
)

// Watch tells the guards of all services what happens to their paths. It has one
// inotify for all. A nil one tells nothing.
type Watch struct {
	poller  *poller.Poller
	inotify int
	read    *poller.Descriptor

	mu     sync.Mutex // guards what is below
	sights map[spot][]*sight
	uses   map[int]int // of the directories, by inotify's number
	closed bool
}

// spot is a name in a directory, by inotify's number.
type spot struct {
	directory int
	name      string
}

// sight is one request to be told of a path.
type sight struct {
	watch   *Watch
	spot    spot
	changed func()
	// touched is set if what is at the path was given an owner or a mode since it
	// came there.
	touched atomic.Bool
}

// NewWatch returns a Watch, which reads on the poller. If that fails, guards look at
// their paths only when they are asked to.
func NewWatch(p *poller.Poller) (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create inotify: %w", explainedWatch(err, unix.EMFILE, "fs.inotify.max_user_instances"))
	}
	w := &Watch{poller: p, inotify: fd, sights: make(map[spot][]*sight), uses: make(map[int]int)}
	if w.read, err = p.Add(fd, w); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return w, nil
}

func explainedWatch(err error, limit unix.Errno, sysctl string) error {
	if errors.Is(err, limit) {
		return fmt.Errorf("%w: raise the sysctl %s", err, sysctl)
	}
	return err
}

// Close ends the watching.
func (w *Watch) Close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	w.read.Remove()
	unix.Close(w.inotify)
}

// See has changed called when the file at a path is removed or replaced, until end is
// called; one call more may come after that. changed may be called by any goroutine,
// and must not block.
func (w *Watch) See(path string, changed func()) (end func(), err error) {
	if w == nil {
		return nil, errors.ErrUnsupported
	}
	s, err := w.see(path, changed)
	if err != nil {
		return nil, err
	}
	return s.end, nil
}

// see has changed called when something happens to what is at a path now.
func (w *Watch) see(path string, changed func()) (*sight, error) {
	return w.look(path, watchedFor, changed)
}

// await does the same, and also has it called when something new is there.
func (w *Watch) await(path string, changed func()) (*sight, error) {
	return w.look(path, awaitedFor, changed)
}

func (w *Watch) look(path string, events uint32, changed func()) (*sight, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errors.New("watch: closed already")
	}
	dir, name := config.SplitPath(path)
	number, err := unix.InotifyAddWatch(w.inotify, dir, events)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, explainedWatch(err, unix.ENOSPC, "fs.inotify.max_user_watches"))
	}
	s := &sight{watch: w, spot: spot{number, name}, changed: changed}
	w.sights[s.spot] = append(w.sights[s.spot], s)
	w.uses[number]++
	return s, nil
}

// end ends the calls. One that is on its way may still come.
func (s *sight) end() {
	w := s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	others := w.sights[s.spot][:0:0]
	for _, other := range w.sights[s.spot] {
		if other != s {
			others = append(others, other)
		}
	}
	w.sights[s.spot] = others
	if len(others) == 0 {
		delete(w.sights, s.spot)
	}
	if w.uses[s.spot.directory]--; w.uses[s.spot.directory] > 0 {
		return
	}
	delete(w.uses, s.spot.directory)
	if !w.closed {
		_, _ = unix.InotifyRmWatch(w.inotify, uint32(s.spot.directory)) // it fails if the directory is gone
	}
}

// Readable is for the poller.
func (w *Watch) Readable(_ *poller.Descriptor, buffer []byte) {
	w.mu.Lock()
	var told []*sight
	if !w.closed { // else the number may be another's by now
		n, err := unix.Read(w.inotify, buffer)
		if err == nil {
			told = w.concerned(buffer[:n])
		}
	}
	w.mu.Unlock()
	for _, s := range told {
		s.changed()
	}
}

// concerned returns the sights that are to be told of the events.
func (w *Watch) concerned(events []byte) (told []*sight) {
	for len(events) >= unix.SizeofInotifyEvent {
		directory := int(int32(binary.NativeEndian.Uint32(events)))
		mask := binary.NativeEndian.Uint32(events[4:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		name, _, _ := bytes.Cut(events[unix.SizeofInotifyEvent:end], []byte{0})
		events = events[end:]

		if mask&unix.IN_Q_OVERFLOW == 0 {
			sights := w.sights[spot{directory, string(name)}]
			for _, s := range sights {
				s.touched.Store(mask&unix.IN_ATTRIB != 0)
			}
			told = append(told, sights...)
			continue
		}
		for _, sights := range w.sights {
			told = append(told, sights...)
		}
	}
	return told
}

// hangUp has changed called when somebody shuts a socket down, until end is called.
func (w *Watch) hangUp(fd int, changed func()) (end func(), err error) {
	// It gets its own number: the set may close the socket before the guard stops.
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	d, err := w.poller.AddHangup(own, hangUp(changed))
	if err != nil {
		unix.Close(own)
		return nil, err
	}
	return func() { d.Remove(); unix.Close(own) }, nil
}

type hangUp func()

// Readable is for the poller.
func (h hangUp) Readable(*poller.Descriptor, []byte) { h() }
