package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// errGone says that there is nothing more to follow.
var errGone = errors.New("hupwatch has ended, there is nothing more to follow")

func (p *program) events() *cobra.Command {
	var c *connection
	var follow, asJSON bool
	cmd := &cobra.Command{
		Use: "events", Short: "show what happened: reloads, starts, ends, and why",
		Long: `Show what happened to services, as much of it as hupwatch remembers: who asked for
a reload, what became of it, what ended and how.`,
		Annotations: exits("0  shown", "4  hupwatch cannot be reached, refuses, or (with -f) has ended"),
		Example:     "  hupwatch events -f\n  hupwatch events --json | jq 'select(.result == \"kept_old\")'",
		Args:        noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.printEvents(cmd.Context(), c, follow, asJSON)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens from now on, until Ctrl-C")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one event a line")
	c = connects(cmd)
	return cmd
}

func (p *program) printEvents(ctx context.Context, c *connection, follow, asJSON bool) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	events, err := client.Events(ctx, follow)
	if err != nil {
		return unanswered(err)
	}
	defer events.Close()
	display, encoder := newDisplay(p.stdout), control.NewEncoder(p.stdout)
	for {
		e, err := events.Next()
		switch {
		case errors.Is(err, io.EOF) && !follow:
			return nil
		case err != nil:
			return &failure{exitUnreachable, errGone}
		case asJSON:
			_ = encoder.Encode(e)
		default:
			fmt.Fprintln(p.stdout, screen.Event(e, display.style()))
		}
	}
}
