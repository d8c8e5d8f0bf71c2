package main

import (
	"fmt"
	"io"

	"hupwatch/config"
	"hupwatch/runner"
)

// runDaemon runs the services of a file until it is told to end.
func runDaemon(file string, stderr io.Writer) int {
	if err := runner.Prepare(); err != nil {
		fmt.Fprintf(stderr, "hupwatch: %v\n", err)
		return exitOther
	}
	c, problems := config.Load(file)
	for _, p := range problems {
		fmt.Fprintln(stderr, p)
	}
	if c == nil {
		return exitUsage
	}
	code, err := runner.Run(runner.Options{
		Config:  c,
		Load:    func() (*config.Config, config.Problems) { return config.Load(file) },
		Log:     stderr,
		Version: versionText(),
	})
	if err != nil {
		fmt.Fprintf(stderr, "hupwatch: %v\n", err)
		return exitOther
	}
	return code
}
