package services

import (
	"sync"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/output"
	"hupwatch/services/process"
	"hupwatch/services/release"
	"hupwatch/services/task"
)

// hookRun is a hook on its way.
type hookRun struct {
	mu     sync.Mutex // guards what is below
	task   *task.Task // nil until it has a process
	killed bool
}

func (h *hookRun) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.killed = true
	if h.task != nil {
		h.task.Kill()
	}
}

func (h *hookRun) isKilled() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.killed
}

// begun notes what to kill, and kills it if that is due already. The task is made
// without the lock: else a file system that hangs would hang the watcher in kill.
func (h *hookRun) begun(t *task.Task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.task = t
	if h.killed {
		t.Kill()
	}
}

// runHook runs one of the service's own commands.
func (w *Watcher) runHook(e lifecycle.RunHook) {
	if w.hooks == nil {
		w.hooks = make(map[int]*hookRun)
	}
	h := &hookRun{}
	w.hooks[e.Token] = h
	variables := release.CommandVariables(e.Release.Service, e.Generation, e.Instance, e.PID)
	if e.Kind == config.HookAfterReload {
		variables = append(variables, release.ResultVariables(string(e.Result), e.Error)...)
	}
	w.host.Starting.Pass(func() {
		if err := w.startHook(e, variables, h); err != nil {
			w.Post(lifecycle.HookDone{Token: e.Token, Failure: err.Error()})
		}
	})
}

func (w *Watcher) startHook(e lifecycle.RunHook, variables []string, h *hookRun) error {
	if h.isKilled() {
		return nil
	}
	rel := e.Release
	if rel.Dir == "" {
		var err error
		if rel, err = w.host.Resolver.Bare(rel.Service); err != nil {
			return err
		}
	}
	spec, err := rel.Command(e.Command, variables)
	if err != nil {
		return err
	}
	capture, err := w.host.Output.Open(rel.Service, -e.Token, e.Instance, rel.Credential)
	if err != nil {
		return err
	}
	defer capture.Forked()
	spec.Stdout, spec.Stderr = capture.Descriptors()
	t, err := task.Start(w.host.Table, spec, func(end process.Exit) { w.Post(hookDone(e.Token, exitOf(end), capture)) })
	if err == nil {
		h.begun(t)
	}
	return err
}

func hookDone(token int, e lifecycle.Exit, capture *output.Capture) lifecycle.HookDone {
	in := lifecycle.HookDone{Token: token}
	if !e.Success() {
		in.Failure, in.Tail = e.String(), capture.Tail()
	}
	return in
}

// killHook ends a hook that nothing waits for any more.
func (w *Watcher) killHook(token int) {
	if h := w.hooks[token]; h != nil {
		h.kill()
		delete(w.hooks, token)
	}
}
