package services

import (
	"syscall"
	"testing"

	"hupwatch/services/process"
	"hupwatch/services/task"
)

// It is made without the lock, since that may take as long as a file system hangs.
func TestAHookThatWasKilledWhileItWasMadeIsKilledThen(t *testing.T) {
	table := process.NewTable()
	go table.Run(t.Context())
	h := &hookRun{}
	h.kill()
	ended := make(chan process.Exit, 1)
	made, err := task.Start(table, process.Spec{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Umask: -1, Stdout: -1, Stderr: -1},
		func(e process.Exit) { ended <- e })
	if err != nil {
		t.Fatal(err)
	}
	h.begun(made)
	if e := <-ended; e.Signal != syscall.SIGKILL {
		t.Errorf("it ended with %+v, want %v", e, syscall.SIGKILL)
	}
}
