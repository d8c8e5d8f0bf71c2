package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/runner/control"
)

func (p *program) signal() *cobra.Command {
	v := &verb{program: p, name: control.VerbSignal}
	cmd := &cobra.Command{
		Use: "signal SIG NAME...|all", Short: "send a signal to the main process of services",
		Long: `Send a signal to the main process of every active instance of services, and do
nothing else about it. SIG is a name like HUP or USR1, or a number.`,
		Annotations: verbExits("it was sent", "it was not", "no such service, or nothing of it runs (then: hupwatch start NAME)"),
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

// dashedSignal helps people who type the signal as for kill: -HUP.
func dashedSignal(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && isSignal(unknown.GetSpecifiedShortnames()) {
		name := unknown.GetSpecifiedShortnames()
		return fmt.Errorf("-%s: write it without a dash: hupwatch signal %s NAME", name, name)
	}
	return flagError(cmd, err)
}

func isSignal(name string) bool {
	_, err := config.Signal(name)
	return err == nil
}

// notASignal also helps people who type the name of the service first.
func notASignal(args []string) error {
	if i := slices.IndexFunc(args, isSignal); i > 0 {
		others := slices.Delete(slices.Clone(args), i, i+1)
		return fmt.Errorf("the signal comes first: hupwatch signal %s %s", args[i], strings.Join(others, " "))
	}
	_, err := config.Signal(args[0])
	return fmt.Errorf("%w; the signal comes first: hupwatch signal HUP NAME", err)
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
