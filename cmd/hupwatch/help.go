package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/config"
)

const usage = `hupwatch keeps several services running and reloads them with no lost request.

  hupwatch -c FILE            run the services of FILE, in the foreground
  hupwatch [-v] [-w SEC] [-k] -- COMMAND [ARG...]
                              run one service without a file
  hupwatch check [-c FILE]    report every problem of FILE at once

Ask the hupwatch that runs:
%s
And:
%s
NAME is a service, all is every one. FILE is /etc/hupwatch.toml where -c is not
given. Each command has more to say: hupwatch help COMMAND.

Signals to hupwatch (its PID is in the file pid in daemon.runtime_dir):
  kill -HUP PID     read FILE again and reload every service: start a new
                    process, see it through its warm-up, only then stop the old
                    one. What is no good is taken back, and the log says why.
  kill -USR2 PID    the same for the services named, one a line, in
                    daemon.name_file (default: reload in daemon.runtime_dir)
  kill -TERM PID    stop every service gracefully and end (also: QUIT, INT;
                    a second INT kills what is left)

One service without a file: -w is its warm-up in seconds (default 1), -v logs
what happens, -vv all of it. A TERM leaves the command running; with -k, or as
PID 1, it is stopped. When the command ends, hupwatch ends with its exit code.

Exit codes of hupwatch -c FILE and hupwatch -- COMMAND: 0 clean stop; 64 bad
usage; 78 bad configuration; the own code of an essential service (128 + N where
signal N ended it); else 1.
`

// helpWidth is how wide help is: as wide as any terminal.
const helpWidth = 80

// exitCodes is the annotation of a command that holds what its exit codes mean.
const exitCodes = "exit codes"

func exits(lines ...string) map[string]string {
	return map[string]string{exitCodes: "  " + strings.Join(lines, "\n  ")}
}

func (p *program) help() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND|keys|KEY]", Short: "explain a command, or keys of the file",
		Long: `Explain a command, or the keys of the configuration file: all of them, or those
of that name (warmup, services.warmup).`,
		Example: "  hupwatch help reload\n  hupwatch help keys\n  hupwatch help warmup",
		Args:    cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return append(commandNames(cmd.Root()), append(keyNames(), "keys")...), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return cmd.Root().Help()
			case 1:
			default:
				return tooMany(cmd, args[1:])
			}
			return p.explain(cmd.Root(), args[0])
		},
	}
}

// explain explains a command or a key. The command wins: reload is both.
func (p *program) explain(root *cobra.Command, what string) error {
	keys := keysNamed(what)
	for _, cmd := range root.Commands() {
		if cmd.Name() != what || cmd.Hidden {
			continue
		}
		p.printHelp(cmd, nil)
		if len(keys) > 0 {
			fmt.Fprintf(p.stdout, "\nIt is a key of the configuration file too: hupwatch help services.%s\n", what)
		}
		return nil
	}
	if len(keys) == 0 {
		return fmt.Errorf("%q: no such command or key; see hupwatch help, hupwatch help keys", what)
	}
	for i, k := range keys {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		printKey(p.stdout, k)
	}
	return nil
}

// printHelp prints what there is to say about a command.
func (p *program) printHelp(cmd *cobra.Command, _ []string) {
	if !cmd.HasParent() {
		fmt.Fprintf(p.stdout, usage, synopses(p.asking()), synopses([]*cobra.Command{p.help(), p.version(), p.completion()}))
		return
	}
	options := cmd.LocalFlags()
	options.SortFlags = false
	if help := options.Lookup("help"); help != nil {
		help.Hidden = true
	}
	use := "hupwatch " + cmd.Use
	if options.HasAvailableFlags() {
		use += " [OPTION...]"
	}
	if file := options.Lookup("config"); file != nil {
		file.DefValue = "" // it makes the line too long for a terminal, and stands in hupwatch help
	}
	fmt.Fprintln(p.stdout, use)
	for paragraph := range strings.SplitSeq(cmd.Long, "\n\n") {
		text := strings.ReplaceAll(paragraph, "\n", " ")
		fmt.Fprintf(p.stdout, "\n%s\n", strings.Join(screen.Wrap(text, helpWidth), "\n"))
	}
	for _, part := range []struct{ title, text string }{
		{"Options", options.FlagUsages()},
		{"Exit codes", cmd.Annotations[exitCodes]},
		{"Examples", cmd.Example},
	} {
		if part.text != "" {
			fmt.Fprintf(p.stdout, "\n%s:\n%s\n", part.title, strings.TrimRight(part.text, "\n"))
		}
	}
}

// synopses has one line for each of the commands.
func synopses(cmds []*cobra.Command) string {
	var lines strings.Builder
	for _, cmd := range cmds {
		fmt.Fprintf(&lines, "  %-27s %s\n", cmd.Use, cmd.Short)
	}
	return lines.String()
}

func commandNames(root *cobra.Command) []string {
	var names []string
	for _, cmd := range root.Commands() {
		if !cmd.Hidden {
			names = append(names, cmd.Name())
		}
	}
	return names
}

// keysNamed returns the keys of that name, with or without their section. The
// name "keys" stands for all of them.
func keysNamed(name string) []config.Key {
	name = strings.Trim(name, "[]")
	return slices.DeleteFunc(config.Keys(), func(k config.Key) bool {
		return name != "keys" && name != k.Name && name != fullName(k)
	})
}

func keyNames() []string {
	var names []string
	for _, k := range config.Keys() {
		if !slices.Contains(names, k.Name) {
			names = append(names, k.Name)
		}
	}
	return names
}

func fullName(k config.Key) string {
	if k.Section == "" {
		return k.Name
	}
	return k.Section + "." + k.Name
}

// printKey prints what a key is: its name, its type, its default, and what it is
// for.
func printKey(w io.Writer, k config.Key) {
	facts := k.Type
	if k.Default != "" {
		facts += ", default " + k.Default
	}
	if !k.Supported() {
		facts += ", not supported yet"
	}
	fmt.Fprintf(w, "%s (%s)\n", fullName(k), facts)
	for _, line := range screen.Wrap(k.Doc, helpWidth-4) {
		fmt.Fprintf(w, "    %s\n", line)
	}
	if example := k.Example(); example != "" && example != k.Default {
		fmt.Fprintf(w, "    %s = %s\n", k.Name, example)
	}
}
