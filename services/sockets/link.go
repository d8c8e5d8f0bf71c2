package sockets

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// link is a public path.
type link struct{ place }

func openLink(path string) (link, error) {
	p, err := openPlace(path)
	return link{p}, err
}

// dir is the name of the directory that the sockets are in.
func (l link) dir() string { return l.name + ".d" }

// to returns the target of a link to a socket. It is relative, so that it means the
// same if the directory is mounted elsewhere.
func (l link) to(bind string) string { return filepath.Join(l.dir(), filepath.Base(bind)) }

// target returns where the path leads, or nothing if nothing there is worth keeping.
// If somebody else's file is there, it returns an error.
func (l link) target() (string, error) {
	target, err := l.readLink()
	switch {
	case errors.Is(err, unix.ENOENT):
		return "", nil
	case errors.Is(err, unix.EINVAL): // no link
		return "", l.replaceable()
	case err != nil:
		return "", err
	}
	if dir := filepath.Dir(target); dir != l.dir() && dir != l.path+".d" {
		return "", fmt.Errorf("there is a symbolic link to %s: remove it, or choose another path", target)
	}
	return target, nil
}

// replaceable returns an error if what is there is of use to anybody. It is called
// for what is no link.
func (l link) replaceable() error {
	mode, err := l.fileType()
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err == nil && mode != unix.S_IFSOCK:
		return errNoSocket
	case err != nil:
		return err
	}
	return stale(l.path)
}

// lead has the path lead to a target.
func (l link) lead(target string) error {
	if err := l.removeTemporary(); err != nil {
		return err
	}
	if err := unix.Symlinkat(target, l.at, l.temporary()); err != nil {
		return fmt.Errorf("make a link: %w", err)
	}
	if err := unix.Renameat(l.at, l.temporary(), l.at, l.name); err != nil {
		_ = l.removeTemporary()
		return fmt.Errorf("rename a link: %w", err)
	}
	return nil
}
