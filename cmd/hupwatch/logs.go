package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// logs is one run of the command of that name.
type logs struct {
	*program
	connection *connection
	follow     bool
	lines      int
	linesGiven bool
	generation int
	names      []string
	widest     int // of the names, 0 if there is only one
	display    display
}

func (p *program) logs() *cobra.Command {
	l := &logs{program: p, lines: 100, display: newDisplay(p.stdout)}
	cmd := &cobra.Command{
		Use: "logs [NAME...]", Short: "show what services wrote",
		Long: `Show the last lines that services wrote to their standard output and error, as far
as hupwatch sees and remembers them. Those of several services are merged by time,
and each says whose it is. The last 64 KiB of a new process that was no good are kept
apart until the next one is started: --generation shows those.`,
		Annotations: exits("0  shown", "3  no such service, or nothing is kept of that generation", "4  hupwatch cannot be reached, refuses, or (with -f) has ended"),
		Example:     "  hupwatch logs -f web\n  hupwatch logs -n 20\n  hupwatch logs --generation 7 web",
		Args:        cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			l.linesGiven = cmd.Flags().Changed("lines")
			return l.run(cmd.Context(), args)
		},
	}
	cmd.Flags().BoolVarP(&l.follow, "follow", "f", false, "go on with what they write from now on, until Ctrl-C")
	cmd.Flags().IntVarP(&l.lines, "lines", "n", l.lines, "no more than the last `N` lines of each")
	cmd.Flags().IntVar(&l.generation, "generation", 0, "all that is kept of what generation `N` wrote")
	l.connection = connects(cmd)
	cmd.ValidArgsFunction = l.connection.complete(0)
	return cmd
}

func (l *logs) run(ctx context.Context, args []string) error {
	switch {
	case l.generation < 0:
		return fmt.Errorf("--generation %d: generations are numbered from 1; see hupwatch status, hupwatch events", l.generation)
	case l.generation > 0 && l.follow:
		return errors.New("--generation shows what was written: leave out -f")
	case l.generation > 0 && len(named(args)) == 0:
		return errors.New("name the service: hupwatch logs --generation N NAME")
	case l.generation > 0 && !l.linesGiven:
		l.lines = 100_000
	}
	if l.lines < 0 {
		return fmt.Errorf("-n %d: the number of lines must be 0 or more", l.lines)
	}
	client, err := l.connection.client()
	if err != nil {
		return err
	}
	l.names = named(args)
	all := len(l.names) == 0
	if all {
		st, err := client.Status(ctx, false)
		if err != nil {
			return unanswered(err)
		}
		l.names = st.Names()
	}
	if len(l.names) > 1 {
		for _, name := range l.names {
			l.widest = max(l.widest, len(name))
		}
	}
	failures := l.read(ctx, client)
	if all && len(failures) < len(l.names) { // nobody named services whose output hupwatch does not see
		failures = slices.DeleteFunc(failures, func(err error) bool { return errors.As(err, new(*control.Error)) })
	}
	for _, err := range failures {
		l.say(err)
		if isForbidden(err) { // the others are forbidden too
			break
		}
	}
	code := exitOf("logs", nil, failures)
	if code == exitOther { // cut off
		code = exitUnreachable
	}
	return ended(code)
}

func isForbidden(err error) bool {
	refused, ok := errors.AsType[*control.Error](err)
	return ok && refused.Reason == control.ReasonForbidden
}

// written is a line, or the error that ended the lines.
type written struct {
	line control.Line
	err  error
}

// read prints the lines of all services until there are no more. Lines of several
// services that come at the same time are put in order before they are printed.
func (l *logs) read(ctx context.Context, client *control.Client) (failures []error) {
	const together = 200 * time.Millisecond

	var readers sync.WaitGroup
	defer readers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan written, len(l.names))
	for _, name := range l.names {
		readers.Go(func() { l.readOne(ctx, client, name, lines) }) // ends with its answer, or with ctx
	}
	var held []control.Line
	var due <-chan time.Time
	for open := len(l.names); open > 0; {
		select {
		case w := <-lines:
			switch {
			case w.err == nil && l.widest == 0:
				l.print(w.line)
				continue
			case w.err == nil:
				held = append(held, w.line)
				if due == nil && l.follow {
					due = time.After(together)
				}
				continue
			case w.err != io.EOF: //nolint:errorlint // anything else is no proper end
				failures = append(failures, w.err)
			case l.follow:
				failures = []error{errGone} // once is enough
			}
			open--
		case <-due:
			held, due = l.printAll(held), nil
		}
	}
	l.printAll(held)
	return failures
}

func (l *logs) readOne(ctx context.Context, client *control.Client, name string, to chan<- written) {
	var lines *control.Lines
	var err error
	if l.generation > 0 {
		lines, err = client.Written(ctx, name, l.generation, l.lines)
	} else {
		lines, err = client.Logs(ctx, name, l.lines, l.follow)
	}
	switch refused, _ := errors.AsType[*control.Error](err); {
	case err == nil:
		defer lines.Close()
	case refused != nil && refused.Reason == control.ReasonUnknown:
		refused.Message = noSuchService(name)
	}
	for n := 0; ; n++ {
		w := written{err: err}
		if err == nil {
			w.line, w.err = lines.Next()
		}
		if w.err == io.EOF && n == 0 && l.generation > 0 { //nolint:errorlint // as below
			w.err = &control.Error{Reason: control.ReasonUnknown, Message: fmt.Sprintf("nothing is kept of generation %d of %s: hupwatch status, hupwatch events name those of the hupwatch that runs", l.generation, name)}
		}
		select {
		case to <- w:
		case <-ctx.Done():
			return
		}
		if w.err != nil {
			return
		}
	}
}

// printAll prints lines in the order of their times, and returns the emptied slice.
func (l *logs) printAll(held []control.Line) []control.Line {
	slices.SortStableFunc(held, func(a, b control.Line) int { return a.At.Compare(b.At.Time) })
	for _, line := range held {
		l.print(line)
	}
	return held[:0]
}

// print prints a line. Unless it goes to a terminal it is printed as it was written.
func (l *logs) print(line control.Line) {
	fmt.Fprintln(l.stdout, screen.Log(line, l.widest, l.display.fd < 0, l.display.style()))
}
