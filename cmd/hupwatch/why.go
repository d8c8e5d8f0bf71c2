package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/screen"
)

func (p *program) why() *cobra.Command {
	s := &statusCommand{program: p}
	cmd := &cobra.Command{
		Use: "why [NAME...]", Short: "say what is wrong, since when, and what to do",
		Long: `Say of every service, or of those named, what is wrong with it: since when, with
which release, what its probe was answered, the lines that name the cause, and what
to do about it. With names it also says that nothing is wrong.`,
		Annotations: exits("0  nothing is wrong", "3  something is; or there is none of that name", "4  hupwatch cannot be reached, or refuses"),
		Example:     "  hupwatch why\n  hupwatch why web",
		Args:        cobra.ArbitraryArgs,
		RunE:        func(cmd *cobra.Command, args []string) error { return s.sayWhy(cmd.Context(), args) },
	}
	s.connection = connects(cmd)
	cmd.ValidArgsFunction = s.connection.complete(0)
	return cmd
}

func (s *statusCommand) sayWhy(ctx context.Context, args []string) (err error) {
	if s.client, err = s.connection.client(); err != nil {
		return err
	}
	s.names = named(args)
	st, missing, err := s.get(ctx)
	if err != nil {
		return unanswered(err)
	}
	wrong := 0
	if len(st.Services) > 0 || len(s.names) == 0 {
		var lines []string
		lines, wrong = screen.Why(st, len(s.names) > 0, time.Now(), newDisplay(s.stdout).style())
		for _, line := range lines {
			fmt.Fprintln(s.stdout, line)
		}
	}
	switch {
	case len(missing) > 0:
		return &failure{exitUnknown, errors.New(noSuchService(missing...))}
	case wrong > 0:
		return ended(exitUnknown)
	}
	return nil
}
