package main

import (
	"errors"
	"runtime"
	"strconv"
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

// deferAccept has a socket hand over only connections on which something was sent.
func deferAccept(number string) error {
	fd, err := strconv.Atoi(number)
	return errors.Join(err, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 5))
}
