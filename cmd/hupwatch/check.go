package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/early"
	"hupwatch/config"
	"hupwatch/runner"
)

func (p *program) check() *cobra.Command {
	file := defaultConfig
	cmd := &cobra.Command{
		Use: "check [FILE]", Short: "report every problem of the configuration at once",
		Long: `Read the configuration and report every problem of it at once, as FILE:LINE: key:
what is wrong, and the remedy. What this host lacks (a user, a directory, a
program) is a warning. Nothing is started, no daemon is asked. Run it before
hupwatch -c FILE, and before a reload.`,
		Annotations: exits("0  the file is good, whatever warnings there are", "2  it is not; hupwatch would refuse it"),
		Example:     "  hupwatch check\n  hupwatch check -c web.toml     (also: hupwatch -t -c web.toml)",
		Args:        cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !cmd.Flags().Changed("config") { // FILE, as people type it
				file, args = args[0], nil
			}
			if len(args) > 0 {
				return tooMany(cmd, args)
			}
			return ended(checkFile(file, p.stdout, p.stderr))
		},
	}
	configFlag(cmd.Flags(), &file)
	return cmd
}

// checkFile prints the problems to stdout, because they are what was asked for.
func checkFile(file string, stdout, stderr io.Writer) int {
	early.Release()
	if file == "" {
		file = defaultConfig
	}
	c, problems := config.Load(file)
	for _, p := range problems {
		fmt.Fprintln(stdout, p)
	}
	if c == nil {
		if _, err := os.Stat(file); file == defaultConfig && errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintln(stderr, "hupwatch: no file was named: hupwatch check FILE")
		}
		return exitUsage
	}
	warnings := runner.HostFacts(c)
	for _, w := range warnings {
		fmt.Fprintln(stdout, w)
	}
	fmt.Fprintf(stderr, "%s: good, %s\n", file, count(len(c.Services), "service"))
	return exitDone
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
