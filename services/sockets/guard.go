package sockets

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Guard keeps the sockets of one service open to clients while generations of it
// end. Some servers remove the path of their socket when they begin to drain, even
// if it is hupwatch's, or a newer generation's by now. And every process that has a
// socket can shut it down for all.
//
//	/run/web.sock                   removed by the old one, and put back
//	/run/.web.sock.hupwatch-kept    a second name of the same file, to put it back by
//
// It is in use while something drains, and for a service with unix sockets for as long
// as it serves: a cleaner may remove their paths at any time. Any other idle service has
// no second names, and nothing of it is watched. The zero value guards nothing. It is not
// safe for concurrent use.
type Guard struct {
	set   *Set
	paths map[string]held
	ends  []func()          // of the watching
	told  map[string]string // the last error about each thing; it is returned once
}

// Start guards the sockets of the set, the public paths that were published, and the
// paths that the service's servers opened themselves (theirs, of which it skips those
// that are no file paths). Each is to lead to where it leads now, or to the set's own
// socket. A path that a server opened is put back only when it is gone: another
// socket there is a newer one.
//
// From now on changed is called when there may be something to Repair. It may be
// called by any goroutine, must not block, and may be called once more after Stop.
// Without a Watch, only Start itself calls it.
//
// Call Start again after a path was published anew or the set has changed: it guards
// what is there then. An error says what cannot be guarded; all else is.
func (g *Guard) Start(w *Watch, set *Set, publics, theirs []string, changed func()) error {
	before := *g
	*g = Guard{set: set, paths: make(map[string]held), told: make(map[string]string)}
	err := errors.Join(
		// First, so that nothing happens between a look at a path and the watching.
		g.watch(w, slices.Concat(publics, theirs), changed),
		g.holdAll(publics, theirs, before.paths))
	before.end(g.paths)
	for _, h := range g.paths {
		if !h.inPlace() {
			changed()
			break
		}
	}
	return err
}

// Repair puts everything back, and returns what it had to put back: the paths, and
// "tcp ADDRESS" for a socket that listens again. It also restores a backlog that was
// shortened. An error is returned once, and not again as long as it stays. Call it
// once more when a generation is gone.
func (g *Guard) Repair() (repaired []string, err error) {
	if g.set == nil {
		return nil, nil
	}
	var errs []error
	note := func(what string, did bool, err error) {
		if did {
			repaired = append(repaired, what)
		}
		errs = append(errs, g.once(what, err))
	}
	for _, path := range slices.Sorted(maps.Keys(g.paths)) {
		did, err := g.paths[path].repair()
		note(path, did, aboutGuard(path, err))
	}
	for _, s := range g.set.sockets() {
		did, err := s.listenAgain()
		note(s.listen.Network+" "+s.listen.Address, did, err)
	}
	return repaired, errors.Join(errs...)
}

// Stop ends the guarding.
func (g *Guard) Stop() {
	g.end(nil)
	*g = Guard{}
}

// end ends the watching and the holding of the paths. What others still needs stays.
func (g *Guard) end(others map[string]held) {
	for _, end := range g.ends {
		end()
	}
	for path, h := range g.paths {
		switch others[path] {
		case nil:
			h.release()
		case h: // taken over as it is
		default:
			h.close()
		}
	}
}

// watch watches the sockets of the set, and paths.
func (g *Guard) watch(w *Watch, paths []string, changed func()) error {
	if w == nil {
		return nil
	}
	var errs []error
	for _, s := range g.set.sockets() {
		if s.file != nil {
			paths = append(paths, s.listen.Address)
		}
		end, err := w.hangUp(s.fd, changed)
		if err != nil {
			errs = append(errs, aboutGuard(s.listen.Address, err))
			continue
		}
		g.ends = append(g.ends, end)
	}
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			continue
		}
		s, err := w.see(path, changed)
		if err != nil {
			errs = append(errs, aboutGuard(path, err))
			continue
		}
		g.ends = append(g.ends, s.end)
	}
	return errors.Join(errs...)
}

func (g *Guard) holdAll(publics, theirs []string, before map[string]held) error {
	var errs []error
	note := func(path string, h held, err error) {
		if err == nil {
			g.paths[path] = h
		}
		errs = append(errs, aboutGuard(path, err))
	}
	for _, s := range g.set.sockets() {
		if s.file != nil {
			h, err := holdSocket(s.listen.Address, g.set, s)
			note(s.listen.Address, h, err)
		}
	}
	for _, path := range publics {
		h, err := holdLink(path)
		if old := before[path]; err != nil && old != nil {
			note(path, old, nil) // gone this moment, and to be put back
			continue
		}
		note(path, h, err)
	}
	for _, path := range theirs {
		if g.paths[path] != nil || !filepath.IsAbs(path) {
			continue
		}
		h, err := holdSocket(path, g.set, nil)
		if old := before[path]; err != nil && old != nil {
			note(path, old, nil) // gone this moment, and to be put back
			continue
		}
		note(path, h, err)
	}
	return errors.Join(errs...)
}

// once returns err, or nil if the last error about this was the same.
func (g *Guard) once(what string, err error) error {
	if err == nil {
		delete(g.told, what)
		return nil
	}
	if g.told[what] == err.Error() {
		return nil
	}
	g.told[what] = err.Error()
	return err
}

func aboutGuard(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("guard %s: %w", path, err)
}
