package runner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"hupwatch/config"
	"hupwatch/runner/rollout"

	"golang.org/x/sys/unix"
)

// nameFileMax is more than a thousand services of the longest name need.
const nameFileMax = 128 << 10

// claimNameFile takes the file at path away, whatever it is, and returns the names in
// it. It renames the file first, which makes it ours: the next one to be written is
// another file.
func claimNameFile(path string) ([]string, error) {
	dir, name := config.SplitPath(path)
	claimed := fmt.Sprintf("%s/.%s.claimed-%d", dir, name, os.Getpid())
	err := os.Rename(path, claimed)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("name file %s: there is none; write the names of the services into it first, one a line", path)
	case err != nil:
		return nil, fmt.Errorf("claim name file: %w", err)
	}
	text, readErr := readClaimed(claimed)
	if err := os.Remove(claimed); err != nil {
		// It is a directory with something in it, which is not ours to empty. It goes
		// back: otherwise it would be in the way of every later claim.
		left := claimed
		if os.Rename(claimed, path) == nil {
			left = path
		}
		return nil, fmt.Errorf("name file %s: remove what was claimed: %w; remove %s by hand and write a plain file", path, err, left)
	}
	if readErr != nil {
		return nil, fmt.Errorf("name file %s: %w", path, readErr)
	}
	names, err := rollout.ParseNames(text)
	if err != nil {
		return nil, fmt.Errorf("name file %s: %w", path, err)
	}
	return names, nil
}

// readClaimed reads a file that anybody may have put there. It neither follows a
// link nor waits for the other end of a FIFO.
func readClaimed(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EMLINK): // EMLINK is FreeBSD's word for it
		return nil, errors.New("it is a symbolic link; write a plain file")
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.EOPNOTSUPP):
		return nil, errors.New("it is a socket; write a plain file")
	case err != nil:
		return nil, fmt.Errorf("open: %w", err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, fmt.Errorf("stat: %w", err)
	}
	switch euid := os.Geteuid(); {
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, errors.New("it is not a plain file; write one")
	case stat.Uid != 0 && int(stat.Uid) != euid:
		return nil, fmt.Errorf("it belonged to uid %d and was removed; write it as root%s", stat.Uid, orMyself(euid))
	case stat.Mode&0o022 != 0:
		return nil, fmt.Errorf("its mode %#o let others write to it, so it was removed; write it again under umask 022", stat.Mode&0o777)
	case stat.Nlink > 1:
		return nil, errors.New("it has a second name (a hard link); write a file of its own")
	}
	text, err := io.ReadAll(io.LimitReader(f, nameFileMax+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if len(text) > nameFileMax {
		return nil, fmt.Errorf("it is longer than %d bytes; one name a line is all it takes", nameFileMax)
	}
	return text, nil
}

func orMyself(euid int) string {
	if euid == 0 {
		return ""
	}
	return fmt.Sprintf(" or as uid %d", euid)
}
