// Package task runs commands that come to an end by themselves: hooks, and the
// commands that check whether something is ready.
package task

import (
	"syscall"

	"hupwatch/services/process"
)

// Task is a command that was started once.
type Task struct {
	process *process.Process
	done    func(process.Exit)
}

// Start starts a command in a session of its own. Once its main process has ended,
// done is called, exactly once, and perhaps before Start returns. A goroutine of the
// table calls it, so it must not block. Other processes of the group are left alone.
// An error means that nothing was started. If the command's program could not be
// executed, the Err of the exit says why.
func Start(table *process.Table, spec process.Spec, done func(process.Exit)) (*Task, error) {
	t := &Task{done: done}
	if err := table.Start(spec, (*watch)(t)); err != nil {
		return nil, err
	}
	return t, nil
}

// Kill ends all that is left of the command's group, at once. It may be called at
// any time, by anyone, again and again.
func (t *Task) Kill() {
	_ = t.process.SignalGroup(syscall.SIGKILL) // fails only if there is nothing left to kill
}

// watch is what the table knows of a task.
type watch Task

func (w *watch) Spawned(p *process.Process) { w.process = p }
func (w *watch) Execed()                    {}
func (w *watch) Exited(e process.Exit) {
	w.process.Leave() // or the table would look at the group for as long as it lives
	w.done(e)
}
func (w *watch) Emptied() {}
