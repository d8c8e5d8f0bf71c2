//go:build linux && (arm64 || riscv64 || loong64)

package process

import "golang.org/x/sys/unix"

// waitingCalls are the system calls in which a thread waits for connections. These
// architectures have neither poll nor select.
var waitingCalls = map[int64]waitingCall{
	unix.SYS_ACCEPT:          inAccept,
	unix.SYS_ACCEPT4:         inAccept,
	unix.SYS_PPOLL:           inPoll,
	unix.SYS_RESTART_SYSCALL: inPoll, // one that was interrupted, as by SIGSTOP and SIGCONT
	unix.SYS_PSELECT6:        inSelect,
}
