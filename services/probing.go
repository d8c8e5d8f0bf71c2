package services

import (
	"context"
	"fmt"
	"strings"

	"hupwatch/config"
	"hupwatch/services/probe"
	"hupwatch/services/process"
	"hupwatch/services/task"
)

// The variables that only commands about a generation have.
const (
	pidVariable    = "HUPWATCH_PID"
	resultVariable = "HUPWATCH_RESULT"
	errorVariable  = "HUPWATCH_ERROR"
)

// subject is what is probed: a generation and the one that serves meanwhile.
type subject struct {
	release          *Release
	variables        []string
	incoming, active *process.Process
}

// probe has a look at a generation.
func (w *Watcher) probe(e Prove) {
	about := subject{incoming: w.process(e.Generation), active: w.process(e.Active)}
	if e.Ready == nil {
		own := ""
		if _, active := w.machine.find(e.Active); active != nil && active.service().Publish != "" {
			own = config.BindPath(active.service().Publish, active.Number)
		}
		w.host.Resolving.Pass(func() { w.Post(look(e, about.incoming, about.active, own)) })
		return
	}
	sl, g := w.machine.find(e.Generation)
	if g == nil || about.incoming == nil {
		return // its end is on the way
	}
	about.release = g.Release
	about.variables = commandEnv(g.service(), e.Generation, sl.Instance, about.incoming.PID())
	ctx, cancel := context.WithCancel(context.Background())
	w.started(e.Generation).unprobe = cancel
	w.host.Probing.Pass(func() {
		defer cancel()
		in := Proved{Generation: e.Generation}
		if err := w.attempt(ctx, e.Ready, about); err != nil {
			in.Failure = err.Error()
		}
		w.Post(in)
	})
}

// unprobe ends the probe of a generation that is told to end, or has ended: nobody
// waits for it any more, and its command must not outlive hupwatch.
func (w *Watcher) unprobe(generation int) {
	if s := w.started(generation); s != nil && s.unprobe != nil {
		s.unprobe()
	}
}

// attempt makes one attempt to see whether a generation is ready.
func (w *Watcher) attempt(ctx context.Context, r *config.Ready, about subject) error {
	if r.Kind == config.ReadyExec {
		return w.execute(ctx, r, about)
	}
	target, err := about.release.target(r, about.variables)
	if err != nil {
		return err
	}
	if err := probe.Check(ctx, target); err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	return about.answers(target)
}

// answers reports whether it may have been the incoming generation that answered.
func (s subject) answers(target probe.Target) error {
	if s.active == nil || s.active == s.incoming {
		return nil
	}
	there := target.Listeners()
	listens := func(p *process.Process) bool { return process.ListensAt(p.PID(), there) }
	if len(there) == 0 || !listens(s.active) || listens(s.incoming) {
		return nil
	}
	return fmt.Errorf("%s: it is the generation before it that answers, it does not listen there itself; %s", target, listenRemedy)
}

// target expands what is to be probed.
func (rel *Release) target(r *config.Ready, variables []string) (probe.Target, error) {
	t := probe.Target{Kind: r.Kind, Timeout: r.Timeout, Headers: r.Headers}
	lookup := lookupIn(variables, rel.Env, rel.Inherited)
	var err error
	if t.URL, err = config.Expand(r.URL, lookup); err == nil {
		t.Address, err = config.Expand(r.Address, lookup)
	}
	if err != nil {
		return t, fmt.Errorf("ready.%s: %w", r.Kind, err)
	}
	t.URL, t.Address = fill(t.URL, variables), fill(t.Address, variables)
	return t, nil
}

// execute runs the command of an exec probe.
func (w *Watcher) execute(ctx context.Context, r *config.Ready, about subject) error {
	spec, err := about.release.command(r.Exec, about.variables)
	if err != nil {
		return fmt.Errorf("ready.exec: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	outcome, err := task.Run(ctx, w.host.Table, spec)
	e := exitOf(outcome.Exit)
	switch {
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("did not end within %s", r.Timeout)
	case err != nil:
	case e.success():
		return nil
	default:
		err = fmt.Errorf("%s", e)
	}
	if n := len(outcome.Tail); n > 0 {
		return fmt.Errorf("exec %s: %w: %s", r.Exec[0], err, strings.TrimSpace(outcome.Tail[n-1]))
	}
	return fmt.Errorf("exec %s: %w", r.Exec[0], err)
}

// execOf is the command of an exec probe, if it is one.
func execOf(r *config.Ready) []string {
	if r == nil {
		return nil
	}
	return r.Exec
}

// command is how one of the service's own commands is run: as its user, in its
// directory.
func (rel *Release) command(command, variables []string) (process.Spec, error) {
	spec := rel.spec()
	argv, err := rel.expand(command, variables)
	if err != nil {
		return spec, err
	}
	if spec.Path, _, err = rel.locate(argv[0]); err != nil {
		return spec, err
	}
	spec.Args = argv
	spec.Env = rel.environ(variables)
	spec.Stdout, spec.Stderr = -1, -1
	return spec, nil
}
