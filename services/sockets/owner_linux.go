package sockets

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// setOwnerAndMode sets what is not negative, on this file only, which must be a
// socket. Root does this in directories that a service's user may write to, so it
// goes by a descriptor, and not by a name that may be another file's meanwhile.
func setOwnerAndMode(at int, name string, file unix.Stat_t, uid, gid, mode int) error {
	fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || !sameFile(st, file) {
		return errors.New("set owner and mode: the path leads to another file")
	}
	if uid >= 0 || gid >= 0 {
		if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return fmt.Errorf("set owner to %d:%d: %w", uid, gid, err)
		}
	}
	if mode >= 0 {
		if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), uint32(mode)); err != nil {
			return fmt.Errorf("set mode to %04o: %w", mode, err)
		}
	}
	return nil
}
