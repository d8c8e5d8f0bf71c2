package sockets

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hupwatch/config"
)

// A service that can only open its socket itself is published: each of its
// generations opens a socket of its own, and the public path is a symbolic link to
// one of them.
//
//	/run/web.sock ──▶ web.sock.d/3.sock
//	/run/web.sock.d/2.sock              still drains
//	               /3.sock              serves
//	/run/.web.sock.hupwatch             the next link, for an instant
//
// These files are the only state, so what follows are functions. Only one goroutine
// at a time may call those for one public path. Root calls them, and the directory of
// the sockets belongs to the service's user: they trust nothing in it, and follow no
// link in it.

// Prepare makes way for a generation that is to open its socket at bind, which is
// PUBLIC.d/N.sock: it makes that directory, gives it to the generation's user and
// group (-1 for hupwatch's own), and removes what was left at bind. It returns an
// error if the public path is somebody else's: better before the generation is
// started than when it is ready.
func Prepare(public, bind string, uid, gid int) error {
	return about(public, func(l link) error {
		if _, err := l.target(); err != nil {
			return err
		}
		if err := l.removeTemporary(); err != nil {
			return err
		}
		d, err := l.makeDir(uid, gid)
		if err != nil {
			return err
		}
		defer d.close()
		return d.makeWay(filepath.Base(bind))
	})
}

// Publish has the public path lead to the socket at bind, in one step: a client that
// connects meets the old one or the new one.
func Publish(public, bind string) error {
	return about(public, func(l link) error {
		if err := l.requireSocket(bind); err != nil {
			return err
		}
		before, err := l.target()
		if err != nil {
			return err
		}
		if target := l.to(bind); before != target {
			return l.lead(target)
		}
		return l.removeTemporary()
	})
}

// Retract removes the socket at bind, whose generation is gone. The public path
// stays as it is.
func Retract(public, bind string) error {
	return cleanUp(public, func(l link) error { return l.inDir(func(d bindDir) error { return d.remove(filepath.Base(bind)) }) })
}

// Sweep removes the sockets of all generations except those at the paths in keep. What
// a server keeps beside its socket, like N.sock.lock, goes or stays with it.
func Sweep(public string, keep ...string) error {
	return cleanUp(public, func(l link) error { return l.inDir(func(d bindDir) error { return d.sweep(keep) }) })
}

// Unpublish removes all that is published of a service: the public path, unless it
// is somebody else's, the sockets and their directory.
func Unpublish(public string) error {
	return cleanUp(public, func(l link) error {
		var errs []error
		if target, err := l.target(); err == nil && target != "" {
			errs = append(errs, l.remove())
		}
		errs = append(errs,
			l.removeTemporary(),
			l.inDir(func(d bindDir) error { return d.sweep(nil) }),
			l.removeDir())
		return errors.Join(errs...)
	})
}

// about does something with the public path.
func about(public string, do func(link) error) error {
	l, err := openLink(public)
	if errors.Is(err, unix.ENOENT) {
		err = fmt.Errorf("%w: create the directory %s", err, config.DirOf(public))
	}
	if err == nil {
		defer l.close()
		err = do(l)
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", public, err)
	}
	return nil
}

// cleanUp does something with the public path. It need not be there.
func cleanUp(public string, do func(link) error) error {
	l, err := openLink(public)
	if err == nil {
		defer l.close()
		err = do(l)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("clean up behind %s: %w", public, err)
	}
	return nil
}
