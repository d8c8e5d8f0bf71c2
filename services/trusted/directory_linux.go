package trusted

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links the kernel follows.
const maxLinks = 40

// Directory returns a descriptor of the directory at an absolute path, for the
// system calls that take one beside a name. It follows only symbolic links that
// belong to root or to hupwatch's own user.
func Directory(path string) (int, error) {
	at, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	for links, rest := 0, path; ; {
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			return at, nil
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
			return -1, err
		case target == "":
			unix.Close(at)
			at, rest = next, remainder
		case strings.HasPrefix(target, "/"):
			unix.Close(at)
			if at, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
				return -1, err
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
