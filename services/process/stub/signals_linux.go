package stub

import (
	"syscall"
	"unsafe"
)

// clearSignals empties the signal mask and takes every ignored signal back to
// its default: a command inherits both. hupwatch does so for itself when it
// starts. This is for when it could not (no /proc).
func clearSignals() {
	// Zeros are an empty set, and an action that is SIG_DFL. The runtime has
	// handlers of its own for most signals; an exec makes those default anyway.
	var zeros, old [8]uint64
	const sigsetSize, setMask, ignored, lastSignal = 8, 2, 1, 64
	for sig := uintptr(1); sig <= lastSignal; sig++ {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&old)), sigsetSize, 0, 0)
		if handler := *(*uintptr)(unsafe.Pointer(&old)); handler == ignored {
			_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&zeros)), 0, sigsetSize, 0, 0)
		}
	}
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&zeros)), 0, sigsetSize, 0, 0)
}
