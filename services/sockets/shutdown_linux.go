package sockets

import "golang.org/x/sys/unix"

// shutDown reports whether somebody shut a listening unix socket down. The kernel
// still counts it as one that listens, and listen(2) does not bring it back.
func shutDown(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0 && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP) != 0
}
