package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// reload is one run of the command of that name.
type reload struct {
	*program
	connection *connection
	q          control.Request
	timeout    timeout
	json       bool
}

func (p *program) reload() *cobra.Command {
	r := &reload{program: p}
	cmd := &cobra.Command{
		Use: "reload [NAME...]", Short: "reload services, and wait for what becomes of it",
		Long: `Reload services, all that are wanted up or those named: hupwatch reads its
configuration, starts a new process of each, sees it through its warm-up, and only
then stops the old one. If the new one is no good the old one serves on, and why
is said here. The command ends once the old ones have finished their work. A new one
that dies before that is rolled back, and that is its result. --probation waits
until it cannot be rolled back any more. What waits for other services (depends_on)
is reloaded when those are ready; --timeout limits how long the command waits for
that.

Ctrl-C ends the command, not the reload.`,
		Annotations: exits(
			"0  done",
			"1  some kept old or rolled back: the release before serves",
			"2  bad usage, or problems in the configuration; nothing was touched",
			"3  no such service, or it is stopped (then: hupwatch start NAME)",
			"4  hupwatch cannot be reached, or refuses",
			"5  something does not serve",
			"6  time-out, Ctrl-C, or hupwatch ended meanwhile: the outcome is not known",
			"Of several the highest counts."),
		Example: `  hupwatch reload                        everything, as kill -HUP does
  hupwatch reload web api                these two
  hupwatch reload --timeout 2m || exit   at the end of a deploy script`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&r.q.Changed, "changed", false, "only the services that something is new for")
	flags.BoolVar(&r.q.Prune, "prune", false, "also if most services stop, because their files are gone")
	flags.BoolVar(&r.q.NoDrain, "no-drain", false, "do not wait for the old processes to finish their work")
	flags.BoolVar(&r.q.Probation, "probation", false, "wait until the new release cannot be taken back any more")
	flags.BoolVar(&r.q.NoWait, "no-wait", false, "wait for nothing: 0 says only that it was asked for")
	flags.Var(&r.timeout, "timeout", "wait no longer than `D`: 90s, 2m; the reload goes on")
	flags.StringVar(&r.q.Key, "key", "", "asked again with this `KEY` it is the same reload")
	flags.BoolVar(&r.json, "json", false, "print the events as JSON, one a line, the result last")
	r.connection = connects(cmd)
	cmd.ValidArgsFunction = r.connection.complete(0)
	return cmd
}

func (r *reload) run(ctx context.Context, args []string) error {
	if r.q.NoWait && r.q.Probation {
		return errors.New("--no-wait and --probation exclude each other: leave one of them out")
	}
	if r.q.Prune && len(args) > 0 {
		return errors.New("--prune is for a reload of all services: leave out the names, or --prune")
	}
	client, err := r.connection.client()
	if err != nil {
		return err
	}
	ctx, cancel := r.timeout.limit(ctx)
	defer cancel()
	r.q.Services = named(args)
	names := r.q.Services
	before := statusBefore(ctx, client)
	if shown := newDisplay(r.stdout).escapes && !r.json; shown {
		r.q.Connections = true
		if len(names) == 0 {
			names = wantedUp(before)
		}
	}
	progress := screen.NewProgress(control.VerbReload, names, time.Now())
	progress.Know(before)
	if r.q.Probation {
		progress.ThroughProbation()
	}
	failures := r.finish(ctx, control.VerbReload, progress, r.json, []ask{func(ctx context.Context) (*control.Events, error) {
		return client.Reload(ctx, r.q)
	}})
	if r.q.NoWait {
		return ended(exitOf(control.VerbReload, nil, failures))
	}
	return ended(exitOf(control.VerbReload, progress.Results(), failures))
}

// statusBefore is how services are before something is asked for. It is empty if
// hupwatch does not say.
func statusBefore(ctx context.Context, client *control.Client) control.Status {
	st, err := client.Status(ctx, false)
	if err != nil {
		return control.Status{}
	}
	return st
}

// wantedUp names the services that a reload of everything concerns.
func wantedUp(st control.Status) []string {
	var names []string
	for _, svc := range st.Services {
		if svc.Wanted == control.WantedUp {
			names = append(names, svc.Name)
		}
	}
	return names
}

// finish follows a request to its end, and says what went wrong with that.
func (p *program) finish(ctx context.Context, verb string, progress *screen.Progress, asJSON bool, asks []ask) (failures []error) {
	v := p.viewOf(progress, asJSON)
	failures = p.follow(ctx, v, asks)
	v.end()
	for _, err := range failures {
		p.tell(verb, progress.ID(), err)
	}
	return failures
}

// tell says why a request was refused, or could not be followed to its end.
func (p *program) tell(verb string, id uint64, err error) {
	name := verb
	if id > 0 {
		name += " " + strconv.FormatUint(id, 10)
	}
	const again = "look again: hupwatch status, hupwatch events"
	refused, isRefused := errors.AsType[*control.Error](err)
	switch {
	case isRefused:
		for _, problem := range refused.Problems {
			fmt.Fprintln(p.stderr, screen.Safe(problem))
		}
	case errors.Is(err, control.ErrUnreachable):
	case errors.Is(err, errInterrupted):
		err = fmt.Errorf("%s goes on without you; to %s", name, again)
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%s: time-out, it goes on; to %s", name, again)
	default:
		err = fmt.Errorf("%s: what became of it is not known: %w; %s", name, err, again)
	}
	p.say(err)
}

// timeout is an option that is a duration. A bare number is in seconds.
type timeout time.Duration

// limit ends the context after that time, if one was given.
func (t timeout) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if t == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(t))
}

func (t *timeout) String() string {
	if *t == 0 {
		return ""
	}
	return time.Duration(*t).String()
}

func (t *timeout) Type() string { return "duration" }

func (t *timeout) Set(text string) error {
	d, err := time.ParseDuration(text)
	if n, numberErr := strconv.ParseFloat(text, 64); numberErr == nil {
		d, err = time.Duration(n*float64(time.Second)), nil
	}
	if err != nil || d <= 0 {
		return errors.New("it is how long to wait, like 90s or 2m; leave it out to wait as long as it takes")
	}
	*t = timeout(d)
	return nil
}
