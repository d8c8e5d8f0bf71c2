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
place. The second column is one word: stopped, waiting, starting, running,
backoff, stopping, exited, failed. It is running while the old one serves,
whatever is incoming.`,
		Annotations: exits(
			"0  every service that is wanted up runs; with names: those run",
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
		return &failure{exitUnknown, fmt.Errorf("no such service: %s; hupwatch status shows all there are", strings.Join(missing, ", "))}
	}
	return ended(exitOfStatus(st.Services, len(s.names) > 0))
}

// get returns the status of the services asked for, and the names of none.
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

func (s *statusCommand) print(st control.Status) {
	if s.json {
		_ = newEncoder(s.stdout).Encode(st)
		return
	}
	if len(st.Services) == 0 && len(s.names) > 0 {
		return // which is said as an error
	}
	for _, line := range screen.Status(st, time.Now(), newDisplay(s.stdout).style()) {
		fmt.Fprintln(s.stdout, line)
	}
}

// keepWatching shows the status every second. A hupwatch that goes away is waited
// for.
func (s *statusCommand) keepWatching(ctx context.Context) error {
	d := newDisplay(s.stdout)
	moving := d.escapes && !s.json
	signals, stop := early.Watch(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGWINCH)
	defer stop()
	if moving {
		_, height := d.size()
		_, _ = io.WriteString(s.stdout, screen.OpenPage(height))
		defer func() { _, _ = io.WriteString(s.stdout, screen.ClosePage()) }()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		code, err := s.look(ctx, d, moving)
		if err != nil && !moving {
			return unanswered(err)
		}
		select {
		case <-tick.C:
		case sig := <-signals:
			if sig != syscall.SIGWINCH {
				return ended(code)
			}
		case <-ctx.Done():
			return ended(code)
		}
	}
}

// look shows the status once. Code is what it would be the exit code of.
func (s *statusCommand) look(ctx context.Context, d display, moving bool) (code int, err error) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	st, missing, err := s.get(ctx)
	code = exitOfStatus(st.Services, len(s.names) > 0)
	switch {
	case err != nil && errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("hupwatch gave no answer within %v", patience)
		code = exitUnreachable
	case err != nil:
		code = exitUnreachable
	case len(missing) > 0:
		code = exitUnknown
	}
	if !moving {
		if err == nil {
			s.print(st)
		}
		return code, err
	}
	style, now := d.style(), time.Now()
	lines := screen.Wrap(screen.Safe(fmt.Sprint(err)), style.Width)
	if err == nil {
		lines = screen.Status(st, now, style)
	}
	width, height := d.size()
	_, err2 := io.WriteString(s.stdout, screen.Page(lines, width, height))
	return code, errors.Join(err, err2)
}
