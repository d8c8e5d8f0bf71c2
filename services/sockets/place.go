package sockets

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/services/trusted"
)

// place is where a file is: a name in a directory that is held open.
type place struct {
	path string
	at   int
	name string
}

func openPlace(path string) (place, error) {
	dir, name := config.SplitPath(path)
	at, err := trusted.Directory(dir)
	return place{path, at, name}, err
}

func (p place) close() { unix.Close(p.at) }

// temporary is the name of what is to be renamed to this place. It is always the
// same, so that one that a killed hupwatch left behind goes when the next is made.
func (p place) temporary() string { return "." + p.name + ".hupwatch" }

func (p place) removeTemporary() error { return unlink(p.at, p.temporary()) }

// replace makes the place lead, in one step, to the file that has that second name in
// the same directory.
func (p place) replace(second string) error {
	if err := p.removeTemporary(); err != nil {
		return err
	}
	if err := unix.Linkat(p.at, second, p.at, p.temporary(), 0); err != nil {
		return err
	}
	err := unix.Renameat(p.at, p.temporary(), p.at, p.name)
	// A rename between two names of one file leaves both.
	return errors.Join(err, p.removeTemporary())
}

func (p place) remove() error { return unlink(p.at, p.name) }

func (p place) fileType() (int, error) { return fileType(p.at, p.name) }

func (p place) readLink() (string, error) {
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(p.at, p.name, buffer)
	return string(buffer[:max(n, 0)]), err
}

// status follows no link, and neither does any function below.
func status(at int, name string) (st unix.Stat_t, err error) {
	err = unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, err
}

func fileType(at int, name string) (int, error) {
	st, err := status(at, name)
	return int(st.Mode) & unix.S_IFMT, err
}

func sameFile(a, b unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// unlink removes a name, if it is there.
func unlink(at int, name string) error {
	if err := unix.Unlinkat(at, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
