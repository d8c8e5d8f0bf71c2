package sockets

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hupwatch/services/trusted"
)

// link is a public path, in its directory that is held open.
type link struct {
	path string
	at   int
	name string
}

func openLink(path string) (link, error) {
	at, err := trusted.Directory(filepath.Dir(path))
	return link{path, at, filepath.Base(path)}, err
}

func (l link) close() { unix.Close(l.at) }

// dir is the name of the directory that the sockets are in.
func (l link) dir() string { return l.name + ".d" }

// to returns what the link is to be for a socket. It is relative, so that it means
// the same where the directory is mounted elsewhere.
func (l link) to(bind string) string { return filepath.Join(l.dir(), filepath.Base(bind)) }

// target returns where the path leads, or nothing where there is nothing worth to
// be kept. What is somebody else's is an error.
func (l link) target() (string, error) {
	mode, err := fileType(l.at, l.name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return "", nil
	case err != nil:
		return "", err
	case mode == unix.S_IFSOCK:
		return "", stale(l.path)
	case mode != unix.S_IFLNK:
		return "", errNoSocket
	}
	target, err := readLink(l.at, l.name)
	if err != nil {
		return "", err
	}
	if dir := filepath.Dir(target); dir != l.dir() && dir != l.path+".d" {
		return "", fmt.Errorf("there is a symbolic link to %s: remove it, or choose another path", target)
	}
	return target, nil
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

// temporary is the name of the next link. It is always the same, so that one that
// a killed hupwatch left behind goes when the next is made.
func (l link) temporary() string { return "." + l.name + ".hupwatch" }

func (l link) removeTemporary() error { return unlink(l.at, l.temporary()) }

func (l link) remove() error { return unlink(l.at, l.name) }

// fileType returns what kind of file has a name, and follows no link.
func fileType(at int, name string) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, err
	}
	return int(st.Mode) & unix.S_IFMT, nil
}

func readLink(at int, name string) (string, error) {
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(at, name, buffer)
	return string(buffer[:max(n, 0)]), err
}

// unlink removes a name, if it is there.
func unlink(at int, name string) error {
	if err := unix.Unlinkat(at, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
