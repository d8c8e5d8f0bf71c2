package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"hupwatch/cmd/hupwatch/early"
	"hupwatch/config"
	"hupwatch/runner"
)

// check reports every problem of a configuration file.
func check(args []string, stdout, stderr io.Writer) int {
	file := defaultConfig
	flags := newFlags(&file)
	if len(args) == 1 && isCommand(args) { // the file, as people type it
		file, args = args[0], nil
	}
	switch err := parse(flags, args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitDone
	case err != nil:
		return complain(stderr, err)
	}
	return checkFile(file, stdout, stderr)
}

// checkFile prints the problems to stdout, for they are what was asked for.
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
