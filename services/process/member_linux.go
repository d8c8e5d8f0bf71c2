package process

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// handle holds on to a process that another one may reap at any moment.
type handle struct {
	pid int
	fd  int // -1 if there are none, as before Linux 5.3: the number has to do
}

// hold takes hold of a member. It first takes the process that has the number, and
// only then looks which one that is.
func (p *Process) hold(pid int) (handle, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	switch err {
	case nil:
	case unix.ENOSYS, unix.EPERM: // EPERM comes from the seccomp of older containers
		fd = -1
	case unix.ESRCH, unix.EINVAL, unix.ENOENT: // the last two for what is no process, such as a thread
		return handle{}, ErrGone
	default:
		return handle{}, err
	}
	h := handle{pid, fd}
	if !p.has(pid) {
		h.close()
		return handle{}, ErrGone
	}
	return h, nil
}

func (h handle) signal(sig syscall.Signal) error {
	var err error
	if h.fd < 0 {
		err = syscall.Kill(h.pid, sig)
	} else {
		err = unix.PidfdSendSignal(h.fd, sig, nil, 0)
	}
	if errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	return err
}

func (h handle) close() {
	if h.fd >= 0 {
		unix.Close(h.fd)
	}
}

// inSession reports whether a process runs and is in the session or the group that
// has this number.
func inSession(pid, leader int) bool {
	s, ok := readStat(pid)
	return ok && s.alive() && (s.session == leader || s.group == leader)
}
