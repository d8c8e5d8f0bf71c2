//go:build !linux

package notify

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func openPipe() (reader, writer int, err error) {
	var ends [2]int
	// Not every system has pipe2; the lock keeps forks away instead.
	syscall.ForkLock.RLock()
	if err = unix.Pipe(ends[:]); err == nil {
		unix.CloseOnExec(ends[0])
		unix.CloseOnExec(ends[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, -1, err
	}
	if err := unix.SetNonblock(ends[0], true); err != nil {
		closeAll(ends[:])
		return -1, -1, err
	}
	return ends[0], ends[1], nil
}
