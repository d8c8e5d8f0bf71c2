// Command load puts a bounded load on a web server until it is interrupted, and
// prints what the server lost. Leave it running while you reload.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"hupwatch/examples/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns 0 if nothing was lost, 1 if something was, 2 for bad usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var cfg load.Config
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: load [flags] tcp://HOST:PORT | unix://PATH")
		flags.PrintDefaults()
	}
	flags.IntVar(&cfg.Fresh, "fresh", 8, "workers with a new connection for every request")
	flags.IntVar(&cfg.KeepAlive, "keepalive", 8, "workers that reuse their connection")
	flags.IntVar(&cfg.Slow, "slow", 4, "workers with slow requests")
	flags.StringVar(&cfg.Path, "path", "/", "what fresh and keepalive workers ask for")
	flags.StringVar(&cfg.SlowPath, "slow-path", "/slow?ms=800", "what slow workers ask for")
	flags.DurationVar(&cfg.Pause, "pause", 30*time.Millisecond, "rest of a worker between two requests")
	flags.DurationVar(&cfg.Timeout, "timeout", 10*time.Second, "how long a request may take")
	duration := flags.Duration("for", 0, "end after this long; 0 is when interrupted")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	var known bool
	cfg.Network, cfg.Address, known = strings.Cut(flags.Arg(0), "://")
	if flags.NArg() != 1 || !known {
		flags.Usage()
		return 2
	}

	if *duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *duration)
		defer cancel()
	}
	l := load.Start(ctx, cfg)
	<-ctx.Done()
	result := l.Stop()

	fmt.Fprintln(stdout, result)
	printAnswers(stdout, result)
	if result.Failures() > 0 {
		return 1
	}
	return 0
}

// printAnswers prints what answered, and how often.
func printAnswers(stdout io.Writer, result *load.Result) {
	times := make(map[string]int)
	for a := range result.Answers() {
		if a.Class == load.OK {
			times[a.Body]++
		}
	}
	for _, body := range slices.Sorted(maps.Keys(times)) {
		fmt.Fprintf(stdout, "%6d answers: %s\n", times[body], body)
	}
}
