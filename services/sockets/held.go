package sockets

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// held is a path that a guard keeps as it is.
type held interface {
	// repair puts back what the path led to, and reports whether it had to.
	repair() (bool, error)
	// inPlace reports whether there is nothing to repair.
	inPlace() bool
	// release ends the holding. close does so too, but leaves the second name to
	// another one that holds the path from now on.
	release()
	close()
}

// heldLink is a public path.
type heldLink struct {
	link
	target string
}

func holdLink(public string) (*heldLink, error) {
	l, err := openLink(public)
	if err != nil {
		return nil, err
	}
	target, err := l.target()
	if err == nil && target == "" {
		err = errors.New("nothing is published there")
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return &heldLink{l, target}, nil
}

func (h *heldLink) inPlace() bool {
	target, err := h.link.target()
	return err == nil && target == h.target
}

func (h *heldLink) repair() (bool, error) {
	target, err := h.link.target()
	if err != nil || target == h.target {
		return false, err
	}
	err = h.lead(h.target)
	return err == nil, err
}

func (h *heldLink) release() { h.close() }

// heldSocket is the path of a unix socket, and a second name of the same file. With
// that the path can be put back. A file whose last name is gone cannot be put back.
type heldSocket struct {
	place
	file unix.Stat_t
	// bound is the set's socket that made the file; nil if a server made it. While the
	// set has that socket, nothing else may be at the path. A server's file may have
	// been replaced by a newer one.
	set   *Set
	bound *socket
}

// holdSocket holds a path for the socket of a set that was bound there or, if bound
// is nil, for the socket that is there now.
func holdSocket(path string, set *Set, bound *socket) (*heldSocket, error) {
	p, err := openPlace(path)
	if err != nil {
		return nil, err
	}
	h := &heldSocket{place: p, set: set}
	if err := h.hold(bound); err != nil {
		p.close()
		return nil, err
	}
	return h, nil
}

func (h *heldSocket) hold(bound *socket) error {
	now, err := status(h.at, h.name)
	gone := errors.Is(err, unix.ENOENT)
	switch {
	case err != nil && !gone:
		return err
	// Another file was there before the guard: a server that opens the path itself
	// replaced hupwatch's when it started, and clients know the server's.
	case bound != nil && (gone || sameFile(now, *bound.file)):
		h.file, h.bound = *bound.file, bound
	case gone:
		return errors.New("there is nothing")
	case int(now.Mode)&unix.S_IFMT != unix.S_IFSOCK:
		return errNoSocket
	default:
		h.file = now
	}
	if h.hasSecond() {
		return nil
	}
	if gone {
		return errors.New("it is gone already: reload the service, which opens it anew")
	}
	return h.makeSecond()
}

// secondName returns where the second name of a socket's file is, beside the first.
func secondName(path string) string {
	dir, name := filepath.Split(path)
	return dir + "." + name + ".hupwatch-kept"
}

func (h *heldSocket) secondName() string { return secondName(h.name) }

func (h *heldSocket) hasSecond() bool {
	st, err := status(h.at, h.secondName())
	return err == nil && sameFile(st, h.file)
}

func (h *heldSocket) makeSecond() error {
	if err := unlink(h.at, h.secondName()); err != nil { // of a hupwatch that was killed
		return err
	}
	if err := unix.Linkat(h.at, h.name, h.at, h.secondName(), 0); err != nil {
		return fmt.Errorf("make a second name for it: %w", err)
	}
	if !h.hasSecond() {
		_ = unlink(h.at, h.secondName())
		return errors.New("make a second name for it: it has just been replaced")
	}
	return nil
}

func (h *heldSocket) inPlace() bool {
	now, err := status(h.at, h.name)
	return h.contentWith(now, err)
}

// contentWith reports whether what is there may stay.
func (h *heldSocket) contentWith(now unix.Stat_t, err error) bool {
	if h.bound != nil && h.set.open[keyOf(h.bound.listen)] != h.bound {
		return true // the set let go of it
	}
	return err == nil && (h.bound == nil || sameFile(now, h.file))
}

func (h *heldSocket) repair() (bool, error) {
	now, err := status(h.at, h.name)
	switch {
	case h.contentWith(now, err):
		return false, nil
	case err == nil && int(now.Mode)&unix.S_IFMT != unix.S_IFSOCK:
		return false, errNoSocket
	case err != nil && !errors.Is(err, unix.ENOENT):
		return false, err
	case !h.hasSecond():
		return false, errors.New("it is gone, and so is its second name: reload the service, which opens it anew")
	}
	if err = unix.Linkat(h.at, h.secondName(), h.at, h.name, 0); errors.Is(err, unix.EEXIST) && h.bound != nil {
		err = h.replace(h.secondName())
	}
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	return err == nil, err
}

func (h *heldSocket) release() {
	_ = unlink(h.at, h.secondName())
	h.close()
}
