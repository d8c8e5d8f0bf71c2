package process

import "syscall"

// Member reports whether a number is that of a process which runs, and is in the
// session or the group of this one: such as it may name as its main process. If
// the system does not say, it knows none but this one itself.
func (p *Process) Member(pid int) bool {
	p.table.forks.Lock()
	defer p.table.forks.Unlock()
	p.table.mu.Lock()
	defer p.table.mu.Unlock()

	h, err := p.hold(pid)
	if err == nil {
		h.close()
	}
	return err == nil
}

// SignalMember sends sig to one process of the session or the group, or returns
// ErrGone if that is none, or none any more.
func (p *Process) SignalMember(pid int, sig syscall.Signal) error {
	if pid == p.id.PID {
		return p.Signal(sig)
	}
	p.table.forks.Lock()
	defer p.table.forks.Unlock()
	p.table.mu.Lock()
	defer p.table.mu.Unlock()

	h, err := p.hold(pid)
	if err != nil {
		return err
	}
	defer h.close()
	return h.signal(sig)
}

// has is called under both locks, like the kill of a group, so that nobody else
// can have the number of the session by now. What was told to be empty is over,
// even if somebody of the session has left the group.
func (p *Process) has(pid int) bool {
	if p.empty || p.reaped && p.numberReused() {
		return false
	}
	return inSession(pid, p.id.PID)
}
