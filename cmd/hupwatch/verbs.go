package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// verb is one run of start, stop, restart or signal.
type verb struct {
	*program
	name       string
	connection *connection
	q          control.Request
	json       bool
}

// verbExits are the exit codes of these commands.
func verbExits(done, not string) map[string]string {
	return exits("0  "+done, "1  "+not, "2  bad usage, or the configuration has problems; nothing was touched",
		"3  no such service, or it is wanted down", "4  hupwatch cannot be reached, or refuses", "Of several the highest counts.")
}

func (p *program) start() *cobra.Command {
	return p.verb("start", &cobra.Command{
		Short: "start services, and keep them up from now on",
		Long: `Start services that are stopped, failed or in backoff, and want them up from now
on, whatever autostart says. The configuration is read first. One that runs
already is left alone.`,
		Annotations: verbExits("they run", "some do not; why is said"),
		Example:     "  hupwatch start web",
	})
}

func (p *program) stop() *cobra.Command {
	return p.verb("stop", &cobra.Command{
		Short: "stop services gracefully, and keep them down",
		Long: `Stop services: the stop signal, time to finish their work, KILL at stop_timeout.
They stay down, also over a reload, until hupwatch start.`,
		Annotations: verbExits("they are stopped", "some are not"),
		Example:     "  hupwatch stop web\n  hupwatch stop all",
	})
}

func (p *program) restart() *cobra.Command {
	return p.verb("restart", &cobra.Command{
		Short: "stop services, then start them: with a gap",
		Long: `Stop services and start them again, with the configuration of now. For a time
nothing serves: that is for a service that must be seen to be gone first. To
replace it with no lost request: hupwatch reload.`,
		Annotations: verbExits("they run again", "some do not; why is said"),
		Example:     "  hupwatch restart worker",
	})
}

func (p *program) verb(name string, cmd *cobra.Command) *cobra.Command {
	v := &verb{program: p, name: name}
	cmd.Use = name + " NAME...|all"
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return v.run(cmd.Context(), args) }
	cmd.Flags().BoolVar(&v.json, "json", false, "print the events as JSON, one a line, the result last")
	v.connection = connects(cmd)
	cmd.ValidArgsFunction = v.connection.complete(0)
	return cmd
}

func (p *program) signal() *cobra.Command {
	v := &verb{program: p, name: "signal"}
	cmd := &cobra.Command{
		Use: "signal SIG NAME...", Short: "send a signal to the main process of services",
		Long: `Send a signal to the main process of every active instance of services, and do
nothing else about it. SIG is a name like HUP or USR1, or a number.`,
		Annotations: verbExits("it was sent", "it was not"),
		Example:     "  hupwatch signal USR1 web       many servers reopen their logs then",
		Args:        cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("say which signal, and to which services: for example hupwatch signal HUP web")
			}
			if !isSignal(args[0]) {
				return notASignal(args)
			}
			v.q.Signal = args[0]
			return v.run(cmd.Context(), args[1:])
		},
	}
	cmd.SetFlagErrorFunc(dashedSignal)
	cmd.Flags().BoolVar(&v.json, "json", false, "print the events as JSON, one a line, the result last")
	v.connection = connects(cmd)
	names := v.connection.complete(1)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return signalNames(), cobra.ShellCompDirectiveNoFileComp
		}
		return names(cmd, args, part)
	}
	return cmd
}

// dashedSignal is for those who type it as for kill.
func dashedSignal(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && isSignal(unknown.GetSpecifiedShortnames()) {
		name := unknown.GetSpecifiedShortnames()
		return fmt.Errorf("-%s: write it without a dash: hupwatch signal %s NAME", name, name)
	}
	return flagError(cmd, err)
}

func isSignal(name string) bool {
	if n, err := strconv.Atoi(name); err == nil {
		return n > 0 && n <= 64
	}
	return unix.SignalNum("SIG"+strings.TrimPrefix(strings.ToUpper(name), "SIG")) != 0
}

// notASignal is for those who type the name of the service first, too.
func notASignal(args []string) error {
	if i := slices.IndexFunc(args, isSignal); i > 0 {
		others := slices.Delete(slices.Clone(args), i, i+1)
		return fmt.Errorf("the signal comes first: hupwatch signal %s %s", args[i], strings.Join(others, " "))
	}
	return fmt.Errorf("%q: no such signal; it is a name like HUP, or a number: for example hupwatch signal HUP web", args[0])
}

func signalNames() []string {
	var names []string
	for n := range 65 {
		if name := unix.SignalName(unix.Signal(n)); name != "" {
			names = append(names, strings.TrimPrefix(name, "SIG"))
		}
	}
	return names
}

// run asks for every service by itself: one that is refused keeps no other from
// being done.
func (v *verb) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say which services: NAME..., or all; see hupwatch help %s", v.name)
	}
	client, err := v.connection.client()
	if err != nil {
		return err
	}
	v.q.Connections = newDisplay(v.stdout).escapes && !v.json
	names := named(args)
	progress := screen.NewProgress(v.name, nil, time.Now())
	if names == nil {
		names = []string{everyService}
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
