package process

import "syscall"

// Watch is told what becomes of one process, in this order: Spawned, Execed
// (not if the exec failed), Exited, Emptied. The calls come one at a time, from
// the goroutines of the table or from within Start, and must not block. They
// may call Signal and Start.
type Watch interface {
	// Spawned says that the process was forked and can be signalled. It is
	// called within Start, before any other call.
	Spawned(p *Process)
	// Execed says that the command's own program runs.
	Execed()
	// Exited says that the main process ended and was reaped.
	Exited(e Exit)
	// Emptied says that nothing of the process group is left.
	Emptied()
}

// Exit is how a main process ended.
type Exit struct {
	// Code is the exit code, or -1 if a signal ended the process.
	Code int
	// Signal is the signal that ended the process, or 0.
	Signal     syscall.Signal
	CoreDumped bool
	// Rest is set if others of the process group lived on when it was reaped.
	Rest bool
	// Err says why the command's own program never ran, else it is nil. It is
	// an *ExecError if the kernel refused a step.
	Err error
}
