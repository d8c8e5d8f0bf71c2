package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hupwatch/config"
	"hupwatch/runner"
)

// oneService are the options of the mode without a file, those of the first
// hupwatch.
type oneService struct {
	verbose, all bool
	warmup       float64
	killAtExit   bool
	runtimeDir   string
}

func (o *oneService) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("hupwatch", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for _, name := range []string{"v", "verbose"} {
		flags.BoolVar(&o.verbose, name, false, "")
	}
	for _, name := range []string{"vv", "vvv"} {
		flags.BoolVar(&o.all, name, false, "")
	}
	o.warmup = 1
	for _, name := range []string{"w", "warmup-time"} {
		flags.Func(name, "", func(text string) (err error) {
			if o.warmup, err = strconv.ParseFloat(text, 64); err != nil {
				return errors.New("it is a number of seconds, like 2 or 0.5")
			}
			return nil
		})
	}
	for _, name := range []string{"k", "kill-at-exit"} {
		flags.BoolVar(&o.killAtExit, name, false, "")
	}
	flags.StringVar(&o.runtimeDir, "runtime-dir", "", "")
	// Known so that the message can say what is wrong with it.
	flags.String("c", "", "")
	flags.String("config", "", "")
	return flags
}

// runOneService keeps one command running, the one behind the "--".
func runOneService(options, command []string, stdout, stderr io.Writer) int {
	var o oneService
	flags := o.flags()
	switch err := flags.Parse(options); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitDone
	case err != nil:
		return complain(stderr, err)
	case flags.NArg() > 0:
		return complain(stderr, fmt.Errorf("%q: write the command behind the --", flags.Arg(0)))
	}
	c, err := o.config(flags, command)
	if err != nil {
		return complain(stderr, err)
	}
	if code, ok := prepare(stderr); !ok {
		return code
	}
	return runDaemon(stderr, runner.Options{
		Config:     c,
		Load:       func() (*config.Config, config.Problems) { return c, nil },
		OneService: true,
	})
}

func (o *oneService) config(flags *flag.FlagSet, command []string) (*config.Config, error) {
	given := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case given["c"] || given["config"]:
		return nil, errors.New("-c FILE and -- COMMAND exclude each other: the services are those of the file, or the command")
	case len(command) == 0:
		return nil, errors.New("no command behind the --")
	case math.IsNaN(o.warmup) || o.warmup < 0 || o.warmup > config.Infinity.Seconds()/2:
		return nil, fmt.Errorf("-w %v: the warm-up is a number of seconds from 0 on", o.warmup)
	}
	c := config.OneService(command, time.Duration(o.warmup*float64(time.Second)))
	c.File = "the command line"
	c.Daemon.LogLevel = "warn"
	switch {
	case o.all:
		c.Daemon.LogLevel = "debug"
	case o.verbose:
		c.Daemon.LogLevel = "info"
	}
	if !o.killAtExit && os.Getpid() != 1 {
		c.Daemon.AtExit = config.AtExitLeave
	}
	if o.runtimeDir != "" {
		dir, err := filepath.Abs(o.runtimeDir)
		if err != nil {
			return nil, fmt.Errorf("--runtime-dir %s: %w", o.runtimeDir, err)
		}
		c.Daemon.RuntimeDir, c.Daemon.NameFile = dir, filepath.Join(dir, "reload")
	}
	return c, nil
}
