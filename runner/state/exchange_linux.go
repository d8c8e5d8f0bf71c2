package state

import "golang.org/x/sys/unix"

// exchange swaps two files in one step. It fails if one of them is missing, or if the
// file system cannot do it.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}
