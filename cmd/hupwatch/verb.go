package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/config"
	"hupwatch/runner/control"
)

// verb is one run of start, stop, restart, signal or rollback.
type verb struct {
	*program
	name       string
	connection *connection
	q          control.Request
	timeout    timeout
	json       bool
}

// verbExits are the exit codes of these commands.
func verbExits(done, not, unknown string) map[string]string {
	return exits("0  "+done, "1  "+not, "2  bad usage, or the configuration has problems; nothing was touched",
		"3  "+unknown, "4  hupwatch cannot be reached, or refuses", "Of several the highest counts.")
}

func (p *program) verb(name string, cmd *cobra.Command) *cobra.Command {
	(&verb{program: p, name: name}).define(cmd)
	return cmd
}

// define makes cmd run the verb.
func (v *verb) define(cmd *cobra.Command) {
	cmd.Use = v.name + " NAME...|all"
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return v.run(cmd.Context(), args) }
	cmd.Flags().BoolVar(&v.json, "json", false, "print the events as JSON, one a line, the result last")
	v.connection = connects(cmd)
	cmd.ValidArgsFunction = v.connection.complete(0)
}

// run asks for every service separately: if one is refused, the others are done all
// the same.
func (v *verb) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say which services: NAME..., or all; see hupwatch help %s", v.name)
	}
	client, err := v.connection.client()
	if err != nil {
		return err
	}
	ctx, cancel := v.timeout.limit(ctx)
	defer cancel()
	v.q.Connections = newDisplay(v.stdout).escapes && !v.json
	names := named(args)
	progress := screen.NewProgress(v.name, nil, time.Now())
	progress.Know(statusBefore(ctx, client))
	if v.q.Probation {
		progress.ThroughProbation()
	}
	if names == nil {
		names = []string{config.AllServices}
	}
	var asks []ask
	for _, name := range names {
		asks = append(asks, func(ctx context.Context) (*control.Events, error) {
			return client.Do(ctx, v.name, name, v.q)
		})
	}
	failures := v.finish(ctx, v.name, progress, v.json, asks)
	return ended(exitOf(v.name, progress.Results(), failures))
}
