package task_test

import (
	"testing"

	"hupwatch/services/process"
	"hupwatch/services/task"
)

// BenchmarkRun is a probe that succeeds, by a command that does nothing.
func BenchmarkRun(b *testing.B) {
	spec := process.Spec{Path: "/bin/true", Args: []string{"true"}, Umask: -1}
	for name, spec := range map[string]process.Spec{"direct": spec, "stub": throughStub(spec)} {
		b.Run(name, func(b *testing.B) {
			table := newTable(b)
			b.ReportAllocs()
			for b.Loop() {
				if o, err := task.Run(b.Context(), table, spec); err != nil || o.Exit != (process.Exit{}) {
					b.Fatalf("%+v, %v", o, err)
				}
			}
		})
	}
}
