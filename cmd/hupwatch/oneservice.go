package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"hupwatch/config"
	"hupwatch/runner"
)

// oneService are the options of the mode without a file, those of the first
// hupwatch.
type oneService struct {
	verbose    int
	warmup     float64
	killAtExit bool
	runtimeDir string
}

func (o *oneService) define(flags *pflag.FlagSet) {
	o.warmup = 1
	flags.CountVarP(&o.verbose, "verbose", "v", "")
	flags.VarP((*seconds)(&o.warmup), "warmup-time", "w", "")
	flags.BoolVarP(&o.killAtExit, "kill-at-exit", "k", false, "")
	flags.StringVar(&o.runtimeDir, "runtime-dir", "", "")
}

// given reports whether any of these options is there.
func (o *oneService) given(flags *pflag.FlagSet) bool {
	return slices.ContainsFunc([]string{"verbose", "warmup-time", "kill-at-exit", "runtime-dir"}, flags.Changed)
}

// seconds is an option that is a number of seconds.
type seconds float64

func (s *seconds) String() string { return strconv.FormatFloat(float64(*s), 'g', -1, 64) }

func (s *seconds) Type() string { return "seconds" }

func (s *seconds) Set(text string) error {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return errors.New("it is a number of seconds, like 2 or 0.5")
	}
	*s = seconds(number)
	return nil
}

// runOneService keeps one command running, the one behind the "--".
func (f *foreground) runOneService(flags *pflag.FlagSet, args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("%q: write the command behind the --", args[0])
	case f.test:
		return errors.New("-t checks a file: hupwatch -t -c FILE")
	case flags.Changed("config"):
		return errors.New("-c FILE and -- COMMAND exclude each other: the services are those of the file, or the command")
	}
	c, err := f.one.config(f.command)
	if err != nil {
		return err
	}
	f.then = func() int { return runCommand(c, f.stderr) }
	return nil
}

// runCommand runs the one service until it ends, or hupwatch is told to end.
func runCommand(c *config.Config, stderr io.Writer) int {
	if code, ok := prepare(stderr); !ok {
		return code
	}
	return runDaemon(stderr, runner.Options{
		Config:     c,
		Load:       func() (*config.Config, config.Problems) { return c, nil },
		OneService: true,
	})
}

func (o *oneService) config(command []string) (*config.Config, error) {
	switch {
	case len(command) == 0:
		return nil, errors.New("no command behind the --")
	case math.IsNaN(o.warmup) || o.warmup < 0 || o.warmup > config.Infinity.Seconds()/2:
		return nil, fmt.Errorf("-w %v: the warm-up is a number of seconds from 0 on", o.warmup)
	}
	c := config.OneService(command, time.Duration(o.warmup*float64(time.Second)))
	c.File = "the command line"
	switch o.verbose {
	case 0:
		c.Daemon.LogLevel = "warn"
	case 1:
		c.Daemon.LogLevel = "info"
	default:
		c.Daemon.LogLevel = "debug"
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
