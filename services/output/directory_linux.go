package output

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"hupwatch/services/trusted"
)

// directory is the one an output file is in, held open: whatever its path leads
// to later, files are made and renamed in this one.
type directory struct{ fd int }

func openDirectory(path string) (directory, error) {
	fd, err := trusted.Directory(path)
	return directory{fd}, err
}

func (d directory) open(name string) (*os.File, error) { return d.openAs(name, fileFlags) }

func (d directory) read(name string) (*os.File, error) { return d.openAs(name, readFlags) }

func (d directory) openAs(name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(d.fd, name, flags|unix.O_CLOEXEC, fileMode)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// same reports whether the file has that name.
func (d directory) same(f *os.File, name string) (bool, error) {
	var there, ours unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &there, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return false, err
	}
	if err := unix.Fstat(int(f.Fd()), &ours); err != nil {
		return false, err
	}
	return there.Dev == ours.Dev && there.Ino == ours.Ino, nil
}

func (d directory) has(name string) bool {
	var s unix.Stat_t
	return !errors.Is(unix.Fstatat(d.fd, name, &s, unix.AT_SYMLINK_NOFOLLOW), unix.ENOENT)
}

func (d directory) rename(from, to string) error { return unix.Renameat(d.fd, from, d.fd, to) }

func (d directory) remove(name string) error { return unix.Unlinkat(d.fd, name, 0) }

func (d directory) close() { unix.Close(d.fd) }
