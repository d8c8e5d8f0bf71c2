package main

import (
	"fmt"
	"io"
	"os"

	"hupwatch/cmd/hupwatch/early"
	"hupwatch/config"
	"hupwatch/runner"
)

// runFile runs the services of a file until it is told to end.
func runFile(file string, stderr io.Writer) int {
	if code, ok := prepare(stderr); !ok {
		return code
	}
	if absolute, err := config.Absolute(file); err == nil {
		file = absolute // the log is read in other directories
	}
	c, problems := config.Load(file)
	for _, p := range problems {
		fmt.Fprintln(stderr, p)
	}
	if c == nil {
		return exitDaemonConfig
	}
	return runDaemon(stderr, runner.Options{
		Config: c,
		Load:   func() (*config.Config, config.Problems) { return config.Load(file) },
	})
}

// prepare makes this process fit to start services.
func prepare(stderr io.Writer) (code int, ok bool) {
	if err := runner.Prepare(); err != nil {
		fmt.Fprintf(stderr, "hupwatch: %v\n", err)
		return exitOther, false
	}
	return 0, true
}

// runDaemon is the daemon with these options and what this process brings.
func runDaemon(stderr io.Writer, o runner.Options) int {
	o.Log, o.Stdout = stderr, os.Stdout
	o.Version = versionText()
	o.HUPIgnored = early.HUPIgnored
	o.Signals = runner.Signals{
		HUP: early.HUP, USR1: early.USR1, USR2: early.USR2,
		TERM: early.TERM, QUIT: early.QUIT, INT: early.INT,
	}
	code, err := runner.Run(o)
	if err != nil {
		fmt.Fprintf(stderr, "hupwatch: %v\n", err)
		return exitOther
	}
	return code
}
