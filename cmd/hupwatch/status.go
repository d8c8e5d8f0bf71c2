package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/early"
	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// statusCommand is one run of the command of that name.
type statusCommand struct {
	*program
	connection  *connection
	json, watch bool
	names       []string
	client      *control.Client
}

func (p *program) status() *cobra.Command {
	s := &statusCommand{program: p}
	cmd := &cobra.Command{
		Use: "status [NAME...]", Short: "show how services are, and what is wrong",
		Long: `Show how services are, all of them or those named. Beneath a service stand what is
coming up or draining, and why its last reload did not put the new release in
place, with the last lines of the process that failed: a few, or with names all
that hupwatch kept. The second column is one word: stopped, waiting, starting, running,
backoff, stopping, done, failed. It is running while the old one serves,
whatever is incoming, and done when its program has ended with success and restart
says that it is not started again.`,
		Annotations: exits(
			"0  every service that is wanted up runs or is done; with names: those are",
			"3  not; or there is none of that name",
			"4  hupwatch cannot be reached, or refuses"),
		Example: `  hupwatch status
  hupwatch status web --json
  hupwatch status --watch`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), args) },
	}
	cmd.Flags().BoolVar(&s.json, "json", false, "print it as JSON; with --watch a line a second")
	cmd.Flags().BoolVarP(&s.watch, "watch", "w", false, "show it again every second, until Ctrl-C")
	s.connection = connects(cmd)
	cmd.ValidArgsFunction = s.connection.complete(0)
	return cmd
}

func (s *statusCommand) run(ctx context.Context, args []string) (err error) {
	if s.client, err = s.connection.client(); err != nil {
		return err
	}
	s.names = named(args)
	if s.watch {
		return s.keepWatching(ctx)
	}
	st, missing, err := s.get(ctx)
	if err != nil {
		return unanswered(err)
	}
	s.print(st)
	if len(missing) > 0 {
		return &failure{exitUnknown, errors.New(noSuchService(missing...))}
	}
	return ended(exitOfStatus(st.Services, len(s.names) > 0))
}

// get returns the status of the services asked for, and the names that none has.
func (s *statusCommand) get(ctx context.Context) (st control.Status, missing []string, err error) {
	st, err = s.client.Status(ctx, true)
	if err != nil || len(s.names) == 0 {
		return st, nil, err
	}
	var found []control.Service
	for _, name := range s.names {
		i := slices.IndexFunc(st.Services, func(svc control.Service) bool { return svc.Name == name })
		if i < 0 {
			missing = append(missing, name)
			continue
		}
		found = append(found, st.Services[i])
	}
	st.Services = found
	return st, missing, nil
}

func noSuchService(names ...string) string {
	return fmt.Sprintf("no such service: %s; hupwatch status shows all there are", strings.Join(names, ", "))
}

func (s *statusCommand) print(st control.Status) {
	if s.json {
		_ = control.NewEncoder(s.stdout).Encode(st)
		return
	}
	if len(st.Services) == 0 && len(s.names) > 0 {
		return // the caller reports that as an error
	}
	show := screen.Status
	if len(s.names) > 0 {
		show = screen.StatusInFull
	}
	for _, line := range show(st, time.Now(), newDisplay(s.stdout).style()) {
		fmt.Fprintln(s.stdout, line)
	}
}

// keepWatching shows the status every second. On a terminal it waits for a hupwatch
// that goes away.
func (s *statusCommand) keepWatching(ctx context.Context) error {
	d := newDisplay(s.stdout)
	show := func(l look) error { return s.printLook(l) }
	if d.escapes && !s.json {
		show = func(l look) error { return s.drawLook(d, l) }
		_, height := d.size()
		_, _ = io.WriteString(s.stdout, screen.OpenPage(height))
		defer func() { _, _ = io.WriteString(s.stdout, screen.ClosePage()) }()
	}
	ends, stop := early.Watch(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		l := s.look(ctx)
		if err := show(l); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ends:
			return ended(l.code)
		case <-ctx.Done():
			return ended(l.code)
		}
	}
}

// look is the status at one moment, and the exit code for it.
type look struct {
	status control.Status
	code   int
	err    error
}

func (s *statusCommand) look(ctx context.Context) look {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	st, missing, err := s.get(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return look{code: exitUnreachable, err: fmt.Errorf("hupwatch gave no answer within %v", patience)}
	case err != nil:
		return look{code: exitUnreachable, err: err}
	case len(missing) > 0:
		return look{status: st, code: exitUnknown}
	}
	return look{status: st, code: exitOfStatus(st.Services, len(s.names) > 0)}
}

func (s *statusCommand) printLook(l look) error {
	if l.err != nil {
		return unanswered(l.err)
	}
	s.print(l.status)
	return nil
}

func (s *statusCommand) drawLook(d display, l look) error {
	style, now := d.style(), time.Now()
	width, height := d.size()
	var lines []string
	if l.err != nil {
		lines = screen.Wrap(screen.Safe(l.err.Error()), style.Width)
	} else if lines = screen.Status(l.status, now, style); len(lines) >= height { // what matters must be shown
		lines = screen.Status(screen.RestlessFirst(l.status), now, style)
	}
	if _, err := io.WriteString(s.stdout, screen.Page(lines, width, height)); err != nil {
		return &failure{exitOther, fmt.Errorf("write to the terminal: %w", err)}
	}
	return nil
}
