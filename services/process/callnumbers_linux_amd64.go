package process

import "golang.org/x/sys/unix"

// waitingCalls are the system calls in which a thread waits for connections.
var waitingCalls = map[int64]waitingCall{
	unix.SYS_ACCEPT:          inAccept,
	unix.SYS_ACCEPT4:         inAccept,
	unix.SYS_POLL:            inPoll,
	unix.SYS_PPOLL:           inPoll,
	unix.SYS_RESTART_SYSCALL: inPoll, // one that was interrupted, as by SIGSTOP and SIGCONT
	unix.SYS_SELECT:          inSelect,
	unix.SYS_PSELECT6:        inSelect,
}
