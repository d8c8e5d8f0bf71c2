//go:build !linux

package process

import "syscall"

// handle holds nothing: the system does not say which processes are in a session.
type handle struct{}

func (p *Process) hold(pid int) (handle, error) {
	if p.has(pid) {
		return handle{}, nil
	}
	return handle{}, ErrGone
}

func (handle) signal(syscall.Signal) error { return ErrGone }

func (handle) close() {}

func inSession(pid, leader int) bool {
	return pid == leader && Identity{PID: pid}.Alive()
}
