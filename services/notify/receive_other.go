//go:build !linux

package notify

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unknownSender is who sent a datagram that does not say so. Here none ever does.
const unknownSender = anybody

func newSocket() (int, error) {
	// Not every system has SOCK_CLOEXEC; the lock keeps forks away instead.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	return fd, unix.SetNonblock(fd, true)
}

// passCredentials does nothing: the system never says who sends.
func passCredentials(int) error { return nil }

func receiveMessage(fd int, buffer, control []byte) (n, controlled, flags int, err error) {
	syscall.ForkLock.RLock() // as above, for the descriptors
	defer syscall.ForkLock.RUnlock()
	for {
		n, controlled, flags, _, err = unix.Recvmsg(fd, buffer, control, 0)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil {
		_, fds := parseControl(control[:controlled])
		for _, fd := range fds {
			unix.CloseOnExec(fd)
		}
	}
	return n, controlled, flags, err
}

func senderOf(unix.Cmsghdr, []byte) (sender user, ok bool) { return nobody, false }
