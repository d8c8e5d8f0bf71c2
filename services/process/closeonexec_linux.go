package process

import (
	"math"

	"golang.org/x/sys/unix"
)

// CloseOnExec keeps the descriptors that hupwatch was started with, but its
// standard ones, from its children. It is called first thing.
func CloseOnExec() error {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	return closeOnExecOneByOne("/proc/self/fd") // before Linux 5.11
}
