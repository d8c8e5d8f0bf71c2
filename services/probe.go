package services

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/probe"
	"hupwatch/services/release"
	"hupwatch/services/task"
)

// probe looks whether a generation is ready.
func (w *Watcher) probe(e lifecycle.Prove) {
	it := w.subject(e.Generation, e.Others)
	if it.process == nil {
		return // its end is on the way
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.started(e.Generation).unprobe = cancel
	active := w.process(e.Active) // here, since the look runs outside of the turn
	gate, look := w.host.Probing, func() lifecycle.Proved { return it.listens(active, e.Own) }
	switch e.Way {
	case lifecycle.WayProbe:
		it.release, it.variables = e.Release, release.CommandVariables(e.Release.Service, e.Generation, e.Instance, it.process.PID())
		look = func() lifecycle.Proved { return w.attempt(ctx, e.Ready, e.AtOnce, it) }
	case lifecycle.WayWaiting:
		sockets := w.listeners(e.Waits)
		look = func() lifecycle.Proved { return it.waits(ctx, sockets, e.AtOnce) }
	case lifecycle.WayListening:
		gate = w.host.Resolving
	case lifecycle.WayNone, lifecycle.WayNotified:
	}
	gate.Pass(func() {
		defer cancel()
		in := look()
		in.Generation = e.Generation
		w.Post(in)
	})
}

// unprobe ends the probe of a generation that is told to end, or has ended: nothing
// waits for it any more, and its command must not outlive hupwatch.
func (w *Watcher) unprobe(generation int) {
	if s := w.started(generation); s != nil && s.unprobe != nil {
		s.unprobe()
	}
}

// attempt makes one attempt to see whether a generation is ready.
func (w *Watcher) attempt(ctx context.Context, r *config.Ready, atOnce int, it subject) lifecycle.Proved {
	if r.Kind == config.ReadyExec {
		in := lifecycle.Proved{}
		in.Failure, in.Late = failure(w.execute(ctx, r, it))
		return in
	}
	url, address, err := it.release.ReadyAt(r, it.variables)
	if err != nil {
		return lifecycle.Proved{Failure: err.Error()}
	}
	target := probe.Target{Kind: r.Kind, URL: url, Address: address, Timeout: r.Timeout, Headers: r.Headers}
	in := it.probe(ctx, target, atOnce)
	if in.Failure != "" {
		in.Failure = target.String() + ": " + in.Failure
	}
	return in
}

// errDidNotEnd says that the command of a probe was killed for the time it took.
var errDidNotEnd = errors.New("did not end")

// failure is why an attempt failed, empty if err is nil, and whether nobody was seen to
// answer in time.
func failure(err error) (text string, late bool) {
	if err == nil {
		return "", false
	}
	_, late = errors.AsType[*probe.LateError](err)
	return err.Error(), late || errors.Is(err, errDidNotEnd) || errors.Is(err, errNotAccepted) || errors.Is(err, errNobody)
}

// execute runs the command of an exec probe.
func (w *Watcher) execute(ctx context.Context, r *config.Ready, it subject) error {
	spec, err := it.release.Command(r.Exec, it.variables)
	if err != nil {
		return fmt.Errorf("ready.exec: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	outcome, err := task.Run(ctx, w.host.Table, spec)
	e := exitOf(outcome.Exit)
	switch {
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("%w within %s", errDidNotEnd, r.Timeout)
	case err != nil:
	case e.Success():
		return nil
	default:
		err = fmt.Errorf("%s", e)
	}
	if n := len(outcome.Tail); n > 0 {
		return fmt.Errorf("exec %s: %w: %s", r.Exec[0], err, strings.TrimSpace(outcome.Tail[n-1]))
	}
	return fmt.Errorf("exec %s: %w", r.Exec[0], err)
}
