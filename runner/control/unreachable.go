package control

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrUnreachable says that no hupwatch could be asked.
var ErrUnreachable = errors.New("hupwatch cannot be reached")

// unreachable says why hupwatch cannot be reached, and the remedy.
func unreachable(socket string, err error) error {
	return fmt.Errorf("%w at %s: %w: %s", ErrUnreachable, socket, cause(err), remedy(err))
}

// cause is the error of the kernel, if there is one: what surrounds it says
// nothing that the message does not.
func cause(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}

func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		return "is hupwatch running, and is this in its runtime_dir?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the hupwatch that made the socket has ended: start it again"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "only root, the user hupwatch runs as and the members of daemon.control_group may connect: become one of them"
	case errors.Is(err, syscall.ENOTSOCK):
		return "name the control.sock in hupwatch's runtime_dir"
	case errors.Is(err, syscall.EINVAL):
		return "the path may be too long for a socket: give hupwatch a runtime_dir with a shorter one"
	case errors.Is(err, syscall.EAGAIN):
		return "too many clients are waiting: try again"
	}
	return "it may be ending, or have too many clients: try again"
}
