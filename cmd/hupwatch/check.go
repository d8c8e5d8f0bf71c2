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
	"hupwatch/runner/control"
)

func (p *program) check() *cobra.Command {
	file, asked := defaultConfig, checking{}
	cmd := &cobra.Command{
		Use: "check [FILE]", Short: "report every problem of the configuration at once",
		Long: `Read the configuration and report every problem of it at once, as FILE:LINE: key:
what is wrong, and the remedy. What this host lacks (a user, a directory, a
program, a limit, an address that another process has) is a warning. Nothing is
started, no daemon is asked. Run it before hupwatch -c FILE, and before a reload.`,
		Annotations: exits(
			"0  the file is good, whatever warnings there are",
			"2  hupwatch would refuse it; with --strict also if there are warnings"),
		Example: "  hupwatch check\n  hupwatch check -c web.toml     (also: hupwatch -t -c web.toml)",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !cmd.Flags().Changed("config") { // FILE, as people type it
				file, args = args[0], nil
			}
			if len(args) > 0 {
				return tooMany(cmd, args)
			}
			return ended(asked.file(file, p.stdout, p.stderr))
		},
	}
	cmd.Flags().BoolVar(&asked.strict, "strict", false, "warnings too are exit code 2")
	cmd.Flags().BoolVar(&asked.json, "json", false, "print the problems as JSON, one a line")
	configFlag(cmd.Flags(), &file)
	return cmd
}

// checking is how a file is checked.
type checking struct{ strict, json bool }

// problem is one in JSON.
type problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Key     string `json:"key,omitempty"`
	Text    string `json:"text"`
	Warning bool   `json:"warning"`
}

func (asked checking) print(stdout io.Writer, problems config.Problems) {
	for _, p := range problems {
		if asked.json {
			_ = control.NewEncoder(stdout).Encode(problem(p))
			continue
		}
		fmt.Fprintln(stdout, p)
	}
}

// file prints the problems to stdout, because they are what was asked for.
func (asked checking) file(file string, stdout, stderr io.Writer) int {
	early.Release()
	if file == "" {
		file = defaultConfig
	}
	c, problems := config.Load(file)
	asked.print(stdout, problems)
	if c == nil {
		if _, err := os.Stat(file); file == defaultConfig && errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintln(stderr, "hupwatch: no file was named: hupwatch check FILE")
		}
		return exitUsage
	}
	warnings := runner.HostFacts(c)
	asked.print(stdout, warnings)
	if n := len(problems) + len(warnings); asked.strict && n > 0 {
		fmt.Fprintf(stderr, "%s: %s, and --strict allows none\n", file, count(n, "warning"))
		return exitUsage
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
