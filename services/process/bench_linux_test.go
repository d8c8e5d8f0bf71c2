package process_test

import (
	"os"
	"syscall"
	"testing"

	"hupwatch/services/process"
)

// BenchmarkStart is a start to the end of a program that does nothing: what
// the table costs, and the stub, over what the kernel does.
func BenchmarkStart(b *testing.B) {
	spec := process.Spec{Path: "/bin/true", Args: []string{"true"}, Stdout: -1, Stderr: -1, Umask: -1}

	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			pid, err := syscall.ForkExec(spec.Path, spec.Args, &syscall.ProcAttr{
				Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
			})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("direct", func(b *testing.B) {
		table := newTable(b)
		for b.Loop() {
			run(b, table, spec)
		}
	})
	b.Run("stub", func(b *testing.B) {
		table, spec := newTable(b), throughStub(spec)
		for b.Loop() {
			run(b, table, spec)
		}
	})
}

func BenchmarkFindMarked(b *testing.B) {
	for b.Loop() {
		if _, err := process.FindMarked("nobody" + os.Args[0]); err != nil {
			b.Fatal(err)
		}
	}
}
