package sockets

import (
	"errors"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Holdback is for paths that servers open themselves. While a new generation that
// opens them too is not proven yet, it keeps clients with the active one, and the new
// one's sockets wait.
//
//	/run/web.sock                   leads to the socket of the active generation
//	/run/.web.sock.hupwatch-active  a second name of that socket
//	/run/.web.sock.hupwatch-next    a second name of the new generation's socket
//
// A server may still give its socket an owner and a mode after it is bound. Then it
// changes the active one's socket, which has the path. Its own socket gets the same
// when it is shown. A path that is gone is left alone for a moment: a server is about
// to open its own there, and cannot while the path is taken.
//
// The zero value holds back nothing. It is not safe for concurrent use.
type Holdback struct {
	paths map[string]*heldBack
}

// bindGap is how long a server has to bind its socket once it has removed what was
// there. An instant is enough, unless there is no processor time: on a host whose load
// was ten times its processors, 20 ms were too little for one server in ten.
const bindGap = 100 * time.Millisecond

var errReplaced = errors.New("it has just been replaced")

// heldBack is one such path.
type heldBack struct {
	place
	active, next unix.Stat_t
	waits        bool      // next is there
	shown        bool      // not held back any more
	missed       time.Time // since when there is nothing; zero if there is something

	changed func()
	timer   *time.Timer
	sight   *sight
}

// Start notes what the paths lead to. A path that is held back already stays so; one
// that is not in paths is held back no longer. From now on changed is called when
// there may be something to Repair, as a Guard does. An error says what cannot be held
// back; all else is.
func (s *Holdback) Start(w *Watch, paths []string, changed func()) error {
	var errs []error
	for path, it := range s.paths {
		if !slices.Contains(paths, path) {
			it.end()
			delete(s.paths, path)
		}
	}
	for _, path := range paths {
		if s.paths[path] != nil {
			continue
		}
		it, err := holdBack(w, path, changed)
		if err != nil {
			errs = append(errs, aboutGuard(path, err))
			continue
		}
		if s.paths == nil {
			s.paths = make(map[string]*heldBack)
		}
		s.paths[path] = it
	}
	return errors.Join(errs...)
}

func holdBack(w *Watch, path string, changed func()) (*heldBack, error) {
	p, err := openPlace(path)
	if err != nil {
		return nil, err
	}
	it := &heldBack{place: p, changed: changed}
	if w != nil {
		it.sight, err = w.await(path, changed)
	}
	if err == nil {
		err = it.begin()
	}
	if err != nil {
		it.end()
		return nil, err
	}
	return it, nil
}

// Repair moves what the new generation opened out of the way, and puts back what
// that generation removed.
func (s *Holdback) Repair() error {
	return s.each(func(it *heldBack) error {
		wait, err := it.repair()
		it.callIn(wait)
		return err
	})
}

// Show has the paths lead to what the new generation opened, or is going to open.
func (s *Holdback) Show() error { return s.each((*heldBack).show) }

// Restore has them lead to what they led to at the start.
func (s *Holdback) Restore() error {
	return s.each(func(it *heldBack) error {
		if it.leadsTo(it.active) {
			return nil
		}
		return it.replace(it.activeName())
	})
}

// Unopened returns the paths at which the new generation opened nothing. They lead to
// the active one's socket, and nobody listens there once that one has ended.
func (s *Holdback) Unopened() []string {
	var paths []string
	for path, it := range s.paths {
		if !it.waits && it.leadsTo(it.active) {
			paths = append(paths, path)
		}
	}
	return paths
}

// Stop ends the holding back. The paths stay as they are.
func (s *Holdback) Stop() {
	for _, it := range s.paths {
		it.end()
	}
	s.paths = nil
}

func (s *Holdback) each(do func(*heldBack) error) error {
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(s.paths)) {
		errs = append(errs, aboutGuard(path, do(s.paths[path])))
	}
	return errors.Join(errs...)
}

func (it *heldBack) activeName() string { return "." + it.name + ".hupwatch-active" }

func (it *heldBack) nextName() string { return "." + it.name + ".hupwatch-next" }

// end leaves the path as it is.
func (it *heldBack) end() {
	if it.sight != nil {
		it.sight.end()
	}
	it.callIn(0)
	_ = unlink(it.at, it.activeName())
	_ = unlink(it.at, it.nextName())
	it.close()
}

// callIn calls changed after a time; 0 is never.
func (it *heldBack) callIn(wait time.Duration) {
	if it.timer != nil {
		it.timer.Stop()
		it.timer = nil
	}
	if wait > 0 {
		it.timer = time.AfterFunc(wait, it.changed)
	}
}

func (it *heldBack) begin() (err error) {
	if it.active, err = it.socket(); err != nil {
		return err
	}
	return it.second(it.activeName(), it.active)
}

// socket returns the status of what the path leads to, which must be a socket.
func (it *heldBack) socket() (unix.Stat_t, error) {
	st, err := status(it.at, it.name)
	if err == nil && int(st.Mode)&unix.S_IFMT != unix.S_IFSOCK {
		err = errNoSocket
	}
	return st, err
}

// second gives what the path leads to a second name.
func (it *heldBack) second(name string, file unix.Stat_t) error {
	if err := unlink(it.at, name); err != nil { // of a hupwatch that was killed, or an earlier one
		return err
	}
	if err := unix.Linkat(it.at, it.name, it.at, name, 0); err != nil {
		return err
	}
	if st, err := status(it.at, name); err != nil || !sameFile(st, file) {
		return errors.Join(errReplaced, err)
	}
	return nil
}

func (it *heldBack) leadsTo(file unix.Stat_t) bool {
	st, err := status(it.at, it.name)
	return err == nil && sameFile(st, file)
}

// repair returns for how long it still leaves a path that is gone alone.
func (it *heldBack) repair() (wait time.Duration, err error) {
	now, err := it.socket()
	gone := errors.Is(err, unix.ENOENT)
	if !gone {
		it.missed = time.Time{}
	}
	switch {
	case it.shown && gone:
		return 0, it.show()
	case it.shown:
		return 0, nil
	case gone && it.missed.IsZero():
		it.missed = time.Now() // to open its own, a server removes what is there
		return bindGap, nil
	case gone:
		if wait := bindGap - time.Since(it.missed); wait > 0 {
			return wait, nil
		}
	case err != nil:
		return 0, err
	case sameFile(now, it.active):
		return 0, nil
	default:
		if err := it.second(it.nextName(), now); err != nil {
			return 0, err
		}
		it.next, it.waits = now, true
	}
	return 0, it.replace(it.activeName())
}

func (it *heldBack) show() error {
	it.shown = true
	if !it.waits || it.leadsTo(it.next) {
		return nil
	}
	return errors.Join(it.admit(), it.replace(it.nextName()))
}

// admit gives the new socket the owner and mode that the path was given meanwhile.
// The directory may belong to the service's user, so it checks what has the names.
func (it *heldBack) admit() error {
	if it.sight == nil || !it.sight.touched.Load() {
		return nil
	}
	now, err := status(it.at, it.activeName())
	if err == nil && !sameFile(now, it.active) {
		err = errReplaced
	}
	if err != nil {
		return err
	}
	return setOwnerAndMode(it.at, it.nextName(), it.next, int(now.Uid), int(now.Gid), int(now.Mode)&0o777)
}
