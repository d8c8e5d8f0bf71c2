package task_test

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"hupwatch/services/process"
	"hupwatch/services/task"
)

// start starts a task, whose every end comes on the channel.
func start(t *testing.T, table *process.Table, spec process.Spec) (*task.Task, <-chan process.Exit) {
	t.Helper()
	ends := make(chan process.Exit, 2)
	started, err := task.Start(table, spec, func(e process.Exit) { ends <- e })
	if err != nil {
		t.Fatal(err)
	}
	return started, ends
}

func await(t *testing.T, ends <-chan process.Exit) process.Exit {
	t.Helper()
	select {
	case e := <-ends:
		return e
	case <-time.After(time.Minute):
		t.Fatal("the end of the task is not told")
		return process.Exit{}
	}
}

func TestTheEndOfATaskIsTold(t *testing.T) {
	table := newTable(t)
	for script, want := range map[string]process.Exit{
		"exit 0":        {},
		"exit 3":        {Code: 3},
		"kill -TERM $$": {Code: -1, Signal: syscall.SIGTERM},
	} {
		for _, spec := range []process.Spec{sh(script), throughStub(sh(script))} {
			_, ends := start(t, table, spec)
			if got := await(t, ends); got != want {
				t.Errorf("%s: %+v, want %+v", script, got, want)
			}
		}
	}
}

func TestACommandThatCannotBeExecutedIsTold(t *testing.T) {
	table := newTable(t)
	spec := sh("")
	spec.Path, spec.Dir = "./migrate", t.TempDir()
	_, ends := start(t, table, spec)
	const want = "exec ./migrate: no such file or directory"
	if e := await(t, ends); e.Err == nil || e.Err.Error() != want {
		t.Errorf("%+v, want %s", e, want)
	}
}

func TestKillEndsTheWholeGroupAndIsToldOnce(t *testing.T) {
	table := newTable(t)
	for _, way := range []func(process.Spec) process.Spec{func(s process.Spec) process.Spec { return s }, throughStub} {
		ours, theirs := newLine(t)
		spec := sh("sleep 1000 & echo here; wait")
		spec.Stdout = int(theirs.Fd())
		killed, ends := start(t, table, way(spec))
		theirs.Close()
		ours.hear(t, "here")

		var all sync.WaitGroup
		for range 4 {
			all.Go(killed.Kill)
		}
		all.Wait()
		if e := await(t, ends); e.Signal != syscall.SIGKILL {
			t.Errorf("%+v, want KILL", e)
		}
		ours.ended(t)
		killed.Kill()
		if len(ends) > 0 {
			t.Errorf("told again: %+v", <-ends)
		}
	}
}

func TestATaskIsKilledBeforeItRuns(t *testing.T) {
	table := newTable(t)
	for range 20 {
		killed, ends := start(t, table, throughStub(sh("sleep 1000")))
		killed.Kill()
		if e := await(t, ends); e.Signal != syscall.SIGKILL {
			t.Errorf("%+v, want KILL", e)
		}
	}
}

func TestWhatATaskLeavesBehindLivesOn(t *testing.T) {
	ours, theirs := newLine(t)
	spec := sh("cat <&1 & exit 7")
	spec.Stdout = int(theirs.Fd())
	ended, ends := start(t, newTable(t), spec)
	theirs.Close()
	if e, want := await(t, ends), (process.Exit{Code: 7, Rest: true}); e != want {
		t.Errorf("%+v, want %+v", e, want)
	}
	ours.say(t, "alive")
	ours.hear(t, "alive")
	ended.Kill()
	ours.ended(t)
}
