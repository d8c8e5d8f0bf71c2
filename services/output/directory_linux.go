package output

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links the kernel follows.
const maxLinks = 40

// directory is the one an output file is in, held open: whatever its path leads
// to later, files are made and renamed in this one.
type directory struct{ fd int }

// openDirectory follows a path as root may: through symbolic links of root's or
// hupwatch's own only. Another user could point one at a directory where a file of
// root's does harm.
func openDirectory(path string) (d directory, err error) {
	at, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return d, err
	}
	for links, rest := 0, path; ; {
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			return directory{at}, nil
		}
		name, remainder, _ := strings.Cut(rest, "/")
		next, target, err := step(at, name)
		if target != "" {
			if links++; links > maxLinks {
				err = unix.ELOOP
			}
		}
		switch {
		case err != nil:
			unix.Close(at)
			return directory{}, err
		case target == "":
			unix.Close(at)
			at, rest = next, remainder
		case strings.HasPrefix(target, "/"):
			unix.Close(at)
			if at, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
				return directory{}, err
			}
			rest = target + "/" + remainder
		default:
			rest = target + "/" + remainder
		}
	}
}

// step goes one name further: to a directory, or to where a link says.
func step(at int, name string) (next int, target string, err error) {
	next, err = unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, "", err
	}
	var s unix.Stat_t
	if err = unix.Fstat(next, &s); err != nil {
		unix.Close(next)
		return -1, "", err
	}
	switch s.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return next, "", nil
	case unix.S_IFLNK:
	default:
		unix.Close(next)
		return -1, "", unix.ENOTDIR
	}
	defer unix.Close(next)
	if s.Uid != 0 && int(s.Uid) != os.Geteuid() {
		return -1, "", fmt.Errorf("%s is a symbolic link of uid %d, who could point it anywhere: name a directory without it", name, s.Uid)
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(next, "", buf)
	if err == nil && n == 0 {
		err = unix.ENOENT
	}
	return -1, string(buf[:max(n, 0)]), err
}

func (d directory) open(name string) (*os.File, error) {
	fd, err := unix.Openat(d.fd, name, fileFlags|unix.O_CLOEXEC, fileMode)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// same tells whether the file has that name.
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
