//go:build linux

#include "textflag.h"

// The service of the benchmark: the whole program, in machine code that runs
// wherever it is put. It reports to its standard output that it runs, waits for
// TERM, reports that too and ends. A report is one write of five words: what
// happened (1 it runs, 2 it was told to end), the pid, the seconds and
// nanoseconds of the monotonic clock, and the first eight bytes of argv[1].
//
//	R12  argv[1]'s first bytes
//	R13  what happened
//	SP   the report, and behind it at 40(SP) the set of signals with TERM in it
TEXT service<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ 16(SP), R12 // argc, argv[0], argv[1]
	MOVQ (R12), R12
	SUBQ $48, SP

	MOVQ $0x4000, R13 // 1 << (SIGTERM-1)
	MOVQ R13, 40(SP)
	MOVL $14, AX // rt_sigprocmask(SIG_BLOCK, set, NULL, 8)
	MOVL $0, DI
	LEAQ 40(SP), SI
	MOVL $0, DX
	MOVL $8, R10
	SYSCALL

	MOVL $1, R13

report:
	MOVL $228, AX // clock_gettime(CLOCK_MONOTONIC, ...)
	MOVL $1, DI
	LEAQ 16(SP), SI
	SYSCALL
	MOVL $39, AX // getpid()
	SYSCALL
	MOVQ R13, 0(SP)
	MOVQ AX, 8(SP)
	MOVQ R12, 32(SP)
	MOVL $1, AX // write(1, report, 40)
	MOVL $1, DI
	MOVQ SP, SI
	MOVL $40, DX
	SYSCALL
	CMPL R13, $2
	JEQ  end

wait:
	MOVL $128, AX // rt_sigtimedwait(set, NULL, NULL, 8)
	LEAQ 40(SP), DI
	MOVL $0, SI
	MOVL $0, DX
	MOVL $8, R10
	SYSCALL
	CMPQ AX, $15 // else it was stopped and continued
	JNE  wait
	MOVL $2, R13
	JMP  report

end:
	MOVL $60, AX // exit(0)
	MOVL $0, DI
	SYSCALL

// func serviceCode() *[serviceSize]byte
TEXT ·serviceCode(SB), NOSPLIT, $0-8
	LEAQ service<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET
