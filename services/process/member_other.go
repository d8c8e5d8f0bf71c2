//go:build !linux

package process

import "syscall"

// handle is of nobody: the system does not say who is in a session.
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
