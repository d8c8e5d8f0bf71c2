package notify

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errTooLong is returned for a datagram that does not fit.
var errTooLong = errors.New("datagram is too long")

// user is the number of a user, or one of these.
type user int64

const (
	// anybody is who sent a datagram if the system cannot say it: then the owner and
	// mode of the path must be enough.
	anybody user = -2
	// nobody is who sent one if the system should have said it, and did not.
	nobody user = -1
)

// receive receives one datagram and which user sent it. The descriptors that came
// with it are the caller's, whatever the error.
func receive(fd int, buffer, control []byte) (datagram []byte, sender user, fds []int, err error) {
	n, controlled, flags, err := receiveMessage(fd, buffer, control)
	if err != nil {
		return nil, nobody, nil, err
	}
	// Truncated control data is no harm: the sender comes first in it, and the
	// descriptors that hupwatch had no room for are closed already.
	sender, fds = parseControl(control[:controlled])
	if flags&unix.MSG_TRUNC != 0 {
		return nil, sender, fds, errTooLong
	}
	return buffer[:n], sender, fds, nil
}

func parseControl(control []byte) (sender user, fds []int) {
	sender = unknownSender
	for len(control) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		if header.Level == unix.SOL_SOCKET && header.Type == unix.SCM_RIGHTS {
			m := unix.SocketControlMessage{Header: header, Data: data}
			rights, _ := unix.ParseUnixRights(&m)
			fds = append(fds, rights...)
		}
		if uid, ok := senderOf(header, data); ok {
			sender = uid
		}
		control = rest
	}
	return sender, fds
}
