package notify

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// unknownSender is who sent a datagram that does not say so.
const unknownSender = nobody

func newSocket() (int, error) {
	return unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
}

// passCredentials has the kernel say who sends.
func passCredentials(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
}

func receiveMessage(fd int, buffer, control []byte) (n, controlled, flags int, err error) {
	for {
		n, controlled, flags, _, err = unix.Recvmsg(fd, buffer, control, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			return n, controlled, flags, err
		}
	}
}

// senderOf reads which user sent a datagram, if this says so.
func senderOf(header unix.Cmsghdr, data []byte) (sender user, ok bool) {
	if header.Level != unix.SOL_SOCKET || header.Type != unix.SCM_CREDENTIALS || len(data) < unix.SizeofUcred {
		return nobody, false
	}
	return user((*unix.Ucred)(unsafe.Pointer(&data[0])).Uid), true
}
