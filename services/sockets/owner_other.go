//go:build !linux

package sockets

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// setOwnerAndMode changes what is not negative. Root does this in directories
// that a service's user may write to: so it follows no symbolic link.
func setOwnerAndMode(path string, uid, gid, mode int) error {
	if uid >= 0 || gid >= 0 {
		if err := os.Lchown(path, uid, gid); err != nil {
			return fmt.Errorf("set owner to %d:%d: %w", uid, gid, err)
		}
	}
	if mode >= 0 {
		if err := unix.Fchmodat(unix.AT_FDCWD, path, uint32(mode), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("set mode to %04o: %w", mode, err)
		}
	}
	return nil
}
