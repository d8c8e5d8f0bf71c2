//go:build linux && amd64

// Command bench measures what hupwatch costs, beside what the same takes without
// it, and prints a table.
//
//	bench -hupwatch bin/hupwatch [-runs 5] [-services 1000] [-idle 130s] [-reloads 10000] [-only start,idle]
//
// The services report themselves at what time they run and are told to end;
// hupwatch's log is not read. The reference is a loop of fork and exec, kill and
// wait. It is measured in the same run, in turn with hupwatch. The figures are
// medians and, in brackets, the smallest and largest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	cancel()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// bench is one run of the benchmark.
type bench struct {
	site
	out      io.Writer
	runs     int
	services int
	idle     time.Duration
	reloads  int
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	b := &bench{out: out}
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&b.hupwatch, "hupwatch", "bin/hupwatch", "the binary to measure")
	flags.IntVar(&b.runs, "runs", 5, "how often to measure everything that is quick")
	flags.IntVar(&b.services, "services", 1000, "how many services are many")
	flags.DurationVar(&b.idle, "idle", 130*time.Second, "how long to look at an idle hupwatch")
	flags.IntVar(&b.reloads, "reloads", 10000, "how many reloads are many")
	flags.StringVar(&only, "only", "", "measure only these, of "+names())
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if b.runs < 1 || b.services < 1 || b.reloads < 100 {
		return errors.New("at least one run, one service and 100 reloads are needed")
	}
	if b.dir, err = os.MkdirTemp("", "hupwatch-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.runtimeDir, err = os.MkdirTemp(runtimeParent(), "hupwatch-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.runtimeDir)) }()
	b.service = b.dir + "/service"
	if err := writeService(b.service); err != nil {
		return err
	}
	return b.measure(ctx, only)
}

func (b *bench) measure(ctx context.Context, only string) error {
	fmt.Fprintf(b.out, "%s, %s, %d processors, %s: median (smallest–largest) of so many runs\n\n",
		time.Now().Format(time.DateOnly), kernel(), runtime.NumCPU(), runtime.Version())
	header(b.out)
	for _, m := range measurements {
		if only != "" && !slices.Contains(strings.Split(only, ","), m.name) {
			continue
		}
		if err := m.run(b, ctx); err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
	}
	return nil
}

// runtimeParent is a directory in memory, as /run is on most hosts, if there is
// one that everybody may write to.
func runtimeParent() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		return shm
	}
	return os.TempDir()
}

func names() string {
	all := make([]string, len(measurements))
	for i, m := range measurements {
		all[i] = m.name
	}
	return strings.Join(all, ",")
}

func kernel() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return "Linux " + strings.TrimSpace(string(text))
}

// sizes are the numbers of services to measure with: these, and the largest.
func (b *bench) sizes(smaller ...int) []int {
	smaller = slices.DeleteFunc(smaller, func(n int) bool { return n >= b.services })
	return append(smaller, b.services)
}

// with runs n services with these keys and calls measure when all is quiet.
func (b *bench) with(ctx context.Context, n int, keys string, measure func(*daemon) error) error {
	d, _, err := b.site.start(ctx, n, keys)
	if err != nil {
		return err
	}
	defer d.stop()
	if err := d.settle(ctx); err != nil {
		return err
	}
	return measure(d)
}

func (b *bench) report(rows ...row) {
	for _, r := range rows {
		r.print(b.out)
	}
}
