package runner

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ownDirectory refuses a directory in which somebody else could replace our files. One
// of our own that others may write to, as the volumes of a pod are, is closed to them
// first; the note says so.
func ownDirectory(key, path string) (note string, err error) {
	link, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	if uid, ok := owner(link); ok && uid != os.Geteuid() && uid != 0 {
		return "", fmt.Errorf("%s %s: it belongs to uid %d; give hupwatch a directory of its own", key, path, uid)
	}
	info, err := os.Stat(path) // in /tmp, somebody else's link was refused above
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	uid, ok := owner(info)
	switch {
	case !info.IsDir():
		return "", fmt.Errorf("%s %s: it is not a directory", key, path)
	case ok && uid != os.Geteuid() && uid != 0:
		return "", fmt.Errorf("%s %s: it belongs to uid %d; give hupwatch a directory of its own", key, path, uid)
	case info.Mode().Perm()&writableByOthers == 0:
		return "", nil
	case ok && uid != os.Geteuid():
		return "", fmt.Errorf("%s %s: its mode %#o lets others write to it; name a directory in it, which hupwatch makes: %s/hupwatch", key, path, info.Mode().Perm(), path)
	}
	return closeDirectory(key, path, info.Mode())
}

const writableByOthers fs.FileMode = 0o022

func owner(info os.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// closeDirectory takes from others the right to write to a directory, unless one of them
// has done so.
func closeDirectory(key, path string, mode fs.FileMode) (note string, err error) {
	if err := os.Chmod(path, mode&^writableByOthers); err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil {
			continue // it has gone
		}
		if uid, ok := owner(info); ok && uid != os.Geteuid() && uid != 0 {
			err = fmt.Errorf("its mode %#o lets others write to it, and uid %d has made %s there: empty it, or name a directory in it, which hupwatch makes: %s/hupwatch", mode.Perm(), uid, e.Name(), path)
		}
	}
	if err != nil {
		_ = os.Chmod(path, mode) // as it was
		return "", fmt.Errorf("%s %s: %w", key, path, err)
	}
	return fmt.Sprintf("%s %s: its mode was %#o, which let others write to it; it is %#o now", key, path, mode.Perm(), (mode &^ writableByOthers).Perm()), nil
}
