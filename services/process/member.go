package process

import "syscall"

// Member reports whether the process with this number runs and is in the session or
// the group of p, so that p may name it as its main process. If the system does not
// say, only p itself is a member.
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

// SignalMember sends sig to one process of the session or the group. It returns
// ErrGone if that is not a member, or not any more.
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

// has is called under both locks, like the kill of a group, so that no other process
// can have got the number of the session. A group that was told to be empty is over,
// even if a process of the session has left it.
func (p *Process) has(pid int) bool {
	if p.empty || p.reaped && p.numberReused() {
		return false
	}
	return inSession(pid, p.id.PID)
}
