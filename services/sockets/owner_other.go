//go:build !linux

package sockets

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// setOwnerAndMode sets what is not negative, on this file only, which must be a
// socket. Root does this in directories that a service's user may write to, so it
// follows no symbolic link.
func setOwnerAndMode(at int, name string, file unix.Stat_t, uid, gid, mode int) error {
	if st, err := status(at, name); err != nil {
		return err
	} else if st.Mode&unix.S_IFMT != unix.S_IFSOCK || !sameFile(st, file) {
		return errors.New("set owner and mode: the path leads to another file")
	}
	if uid >= 0 || gid >= 0 {
		if err := unix.Fchownat(at, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("set owner to %d:%d: %w", uid, gid, err)
		}
	}
	if mode >= 0 {
		if err := unix.Fchmodat(at, name, uint32(mode), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("set mode to %04o: %w", mode, err)
		}
	}
	return nil
}
