package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// defaultConfig is where the configuration is looked for.
const defaultConfig = "/etc/hupwatch.toml"

// foreground is what hupwatch does without a command: it is the daemon, of a
// file or of one service.
type foreground struct {
	*program
	one           oneService
	oneService    bool     // there is a "--"
	command       []string // behind it
	file          string
	test, version bool
}

func (f *foreground) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	configFlag(flags, &f.file)
	flags.BoolVarP(&f.test, "test", "t", false, "")
	flags.BoolVar(&f.version, "version", false, "")
	f.one.define(flags)
}

func (f *foreground) run(cmd *cobra.Command, args []string) error {
	if f.version {
		fmt.Fprintln(f.stdout, "hupwatch", versionText())
		return nil
	}
	if f.oneService {
		return f.runOneService(cmd.Flags(), args)
	}
	flags := cmd.Flags()
	if f.test { // check, written as an option
		f.usage = exitUsage
	}
	switch {
	case len(args) > 0 && isCommand(args) && flags.NFlag() == 0:
		return noSuchCommand(cmd, args[0])
	case len(args) > 0 && !f.test, f.one.given(flags):
		return errors.New("a command goes behind a --: hupwatch [-v] [-w SEC] [-k] -- COMMAND [ARG...]")
	case len(args) > 0:
		return fmt.Errorf("%q: too many arguments; see hupwatch help", args[0])
	case f.test:
		return ended(checking{}.file(f.file, f.stdout, f.stderr))
	case f.file == "":
		return errors.New("-c FILE is missing; see hupwatch help")
	}
	f.then = func() int { return runFile(f.file, f.stderr) }
	return nil
}

// noSuchCommand says what to type instead of a command that is none.
func noSuchCommand(root *cobra.Command, name string) error {
	if strings.HasSuffix(name, ".toml") {
		return fmt.Errorf("%q: no such command; to run the services of a file: hupwatch -c %s", name, name)
	}
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("%q: no such command, did you mean %s? See hupwatch help", name, strings.Join(near, " or "))
	}
	return fmt.Errorf("%q: no such command; see hupwatch help", name)
}

// twoDashes adds the second dash to long options of hupwatch typed with only one.
func (f *foreground) twoDashes(flags *pflag.FlagSet, args []string) []string {
	given := append([]string{}, args...) // not nil: that would be os.Args
	for i, arg := range given {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && len(name) > 1 && (name == "help" || flags.Lookup(name) != nil) {
			given[i] = "-" + arg
		}
	}
	return given
}
