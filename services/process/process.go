package process

import (
	"errors"
	"syscall"
)

// ErrGone is returned for a signal to a process that was reaped, or to a group
// that is empty.
var ErrGone = errors.New("process is gone")

// ErrNotExecuted is the Err of a process that ended before its command's own
// program ran.
var ErrNotExecuted = errors.New("ended before its program was executed")

// Process is one started process. It is never used for a second one.
type Process struct {
	table *Table
	watch Watch
	id    Identity
	// credential is who it was started as; nil is hupwatch's own user.
	credential *Credential

	// The rest is the table's, under its lock.
	exec    execution
	execErr error // of failed
	reaped  bool
	exit    Exit
	ended   bool // reaped, and its group looked at
	empty   bool // the group
	killed  bool // by us, as a whole group
	telling bool // a goroutine is in tell
	told    call // the last one made
}

// execution is how far the exec of a process has come.
type execution int

const (
	pending execution = iota
	executed
	failed
)

// call is a call to a watch, in the order they are made in.
type call int

const (
	none call = iota
	spawned
	execed
	exited
	emptied
)

// PID returns the number of the main process, which is that of its session and
// group too.
func (p *Process) PID() int { return p.id.PID }

// Identity returns what tells this process from a later one with its number.
func (p *Process) Identity() Identity { return p.id }

func (p *Process) isReaped() bool {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	return p.reaped
}

// Ended reports whether the main process has ended, be it reaped or not.
func (p *Process) Ended() bool {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()

	return p.reaped || hasEnded(p.id.PID)
}

// Signal sends sig to the main process, or returns ErrGone if it was reaped.
func (p *Process) Signal(sig syscall.Signal) error {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()

	if p.reaped {
		return ErrGone
	}
	return p.kill(p.id.PID, sig)
}

// SignalGroup sends sig to the whole process group, also after the main
// process was reaped. It returns ErrGone if the group is empty.
func (p *Process) SignalGroup(sig syscall.Signal) error {
	p.table.forks.Lock()
	defer p.table.forks.Unlock()
	p.table.mu.Lock()
	defer p.table.mu.Unlock()

	if p.empty || p.reaped && p.numberReused() {
		return ErrGone
	}
	p.killed = p.killed || sig == syscall.SIGKILL
	return p.kill(-p.id.PID, sig)
}

// Leave lets go of what is left of the group after the main process was reaped:
// Emptied is not told.
func (p *Process) Leave() {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	delete(p.table.leftovers, p)
}

func (p *Process) kill(pid int, sig syscall.Signal) error {
	err := syscall.Kill(pid, sig)
	switch {
	case err == syscall.ESRCH:
		return ErrGone
	case err == nil && sig == syscall.SIGKILL && p.exec == pending:
		// From here on the end of the stub's report means this, not an exec. It does
		// no harm if the exec was in fact done just now.
		p.exec, p.execErr = failed, ErrNotExecuted
	}
	return err
}

// numberReused reports whether another process has the number of the reaped
// main process. The kernel gives a number away only once no group and no session
// has it either, so then the group is empty.
func (p *Process) numberReused() bool {
	return syscall.Kill(p.id.PID, 0) != syscall.ESRCH
}

// groupEmpty reports whether nothing is left of the group of the reaped main
// process.
func (p *Process) groupEmpty(living map[int]bool) bool {
	if p.numberReused() || syscall.Kill(-p.id.PID, 0) == syscall.ESRCH {
		return true
	}
	// A zombie counts as left until its parent reaps it. After a KILL of all only
	// zombies are left in the end, and a parent outside of the group that never
	// reaps would keep the group for ever.
	return p.killed && living != nil && !living[p.id.PID]
}

// end notes how the main process ended.
func (p *Process) end(status syscall.WaitStatus) {
	p.reaped = true
	p.exit.Code = status.ExitStatus()
	p.exit.CoreDumped = status.CoreDump()
	if status.Signaled() {
		p.exit.Signal = status.Signal()
	}
}

// settle notes whether the group of the reaped main process is empty.
func (p *Process) settle(empty bool) {
	if !p.ended {
		p.ended = true
		p.exit.Rest = !empty
	}
	p.empty = empty
}

// begin calls Spawned: in the goroutine of Start, and before all other calls.
func (p *Process) begin() {
	p.watch.Spawned(p)

	p.table.mu.Lock()
	p.told = spawned
	p.table.mu.Unlock()
	p.tell()
}

// tell makes the calls that are due after Spawned. It is called without the lock, after
// whatever may have made one due; if another goroutine is at it already, that
// one makes them.
func (p *Process) tell() {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()

	if p.telling {
		return
	}
	p.telling = true
	for next := p.next(); next != none; next = p.next() {
		p.told = next
		p.table.mu.Unlock()
		p.table.Mistakes.Do("tell what became of a process", func() { p.call(next) })
		p.table.mu.Lock()
	}
	p.telling = false
}

// next returns the call that is due. The exit waits for the outcome of the
// exec, which is certain to come: the report ends with the process.
func (p *Process) next() call {
	switch {
	case p.told == none:
		return none
	case p.told < execed && p.exec == executed:
		return execed
	case p.told < exited && p.exec != pending && p.ended:
		return exited
	case p.told == exited && p.empty:
		return emptied
	}
	return none
}

func (p *Process) call(c call) {
	switch c {
	case none, spawned: // Start's
	case execed:
		p.watch.Execed()
	case exited:
		// Neither changes any more: it has ended, and the exec is decided.
		e := p.exit
		e.Err = p.execErr
		p.watch.Exited(e)
	case emptied:
		p.watch.Emptied()
	}
}
