package main

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// block blocks a signal in the thread that become is going to execute from.
func block(sig syscall.Signal) error {
	runtime.LockOSThread()
	var set unix.Sigset_t
	set.Val[(sig-1)/64] = 1 << ((sig - 1) % 64)
	return unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
}
