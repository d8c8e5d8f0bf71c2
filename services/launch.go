package services

import (
	"fmt"

	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

func (w *Watcher) launch(e lifecycle.Launch) {
	fds, err := w.sockets.Open(e.Release.Service.Listen)
	if err != nil {
		w.Post(lifecycle.SpawnFailed{Generation: e.Generation, Reason: "listen: " + err.Error()})
		return
	}
	if err := w.prepare(e); err != nil {
		w.Post(lifecycle.SpawnFailed{Generation: e.Generation, Reason: err.Error()})
		return
	}
	w.guardAgain()
	w.host.Starting.Pass(func() {
		if err := w.start(e, fds); err != nil {
			w.Post(lifecycle.SpawnFailed{Generation: e.Generation, Reason: err.Error()})
		}
	})
}

func (w *Watcher) start(e lifecycle.Launch, fds []int) error {
	variables := release.Variables(e.Release.Service, e.Generation, e.Instance, w.host.Mark)
	argv, err := e.Release.Argv(variables)
	if err != nil {
		return err
	}
	spec := e.Release.Spec()
	note, told, err := w.openNotification(e, &spec)
	if err != nil {
		return err
	}
	defer note.forked()
	capture, err := w.host.Output.Open(e.Release.Service, e.Generation, e.Instance, e.Release.Credential)
	if err != nil {
		note.close()
		return fmt.Errorf("output: %w", err)
	}
	defer capture.Forked()
	spec.Args = argv
	spec.Env = e.Release.Environ(append(variables, told...))
	spec.Sockets = fds
	spec.Stdout, spec.Stderr = capture.Descriptors()
	err = w.host.Table.Start(spec, processWatch{w, started{generation: e.Generation, output: capture, notification: note}})
	if err != nil {
		note.close()
	}
	return err
}
