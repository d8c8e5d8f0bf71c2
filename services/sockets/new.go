//go:build !darwin

package sockets

import "golang.org/x/sys/unix"

// newSocket returns a stream socket that children do not inherit and that
// does not block.
func newSocket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
}
