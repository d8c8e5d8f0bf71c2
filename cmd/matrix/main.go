// Command matrix reloads real servers under load, each with its recipe among the
// examples, and prints a table of what that lost.
//
//	matrix [-bin bin] [-examples examples] [-reloads 10] [-only NAME,...] [-parallel 1] [-smoke]
//
// It ends with 1 if a server lost a request that it should not have lost, or did
// not run at all. A server that is not installed is left out; with CI=true in
// the environment that is a failure too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	cancel()
	if err != nil {
		fmt.Fprintf(os.Stderr, "matrix: %v\n", err)
		os.Exit(1)
	}
}

// matrix is one run over all servers.
type matrix struct {
	bin      string // with hupwatch and demo
	examples string
	reloads  int
	parallel int
	only     []string
	progress io.Writer
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	m := &matrix{progress: progress}
	var only string
	var smoke bool
	flags := flag.NewFlagSet("matrix", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.StringVar(&m.bin, "bin", "bin", "the directory of the hupwatch to test")
	flags.StringVar(&m.examples, "examples", "examples", "the directory of the recipes")
	flags.IntVar(&m.reloads, "reloads", 10, "how often to reload each server")
	flags.IntVar(&m.parallel, "parallel", 1, "how many servers to test at a time")
	flags.StringVar(&only, "only", "", "test only these examples")
	flags.BoolVar(&smoke, "smoke", false, "two reloads each, two servers at a time")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if smoke {
		m.reloads, m.parallel = 2, 2
	}
	if m.reloads < 1 || m.parallel < 1 {
		return errors.New("it takes at least one reload, of one server at a time")
	}
	if only != "" {
		m.only = strings.Split(only, ",")
	}
	var err error
	if m.bin, err = filepath.Abs(m.bin); err != nil {
		return err
	}
	return m.run(ctx, out)
}

// run tests the servers and prints the table.
func (m *matrix) run(ctx context.Context, out io.Writer) error {
	chosen, err := choose(m.only)
	if err != nil {
		return err
	}
	rows := make([][]row, len(chosen))
	places := make(chan struct{}, m.parallel)
	var tests sync.WaitGroup
	for i, s := range chosen {
		places <- struct{}{}
		tests.Go(func() {
			rows[i] = m.test(ctx, s)
			<-places
		})
	}
	tests.Wait()
	return table(out, slices.Concat(rows...), os.Getenv("CI") != "")
}

// test tests one server; each variant of it makes a row.
func (m *matrix) test(ctx context.Context, s server) []row {
	rows := make([]row, len(s.variants))
	for i, v := range s.variants {
		rows[i] = row{server: s, variant: v}
	}
	begun := time.Now()
	missing := s.missing()
	if missing == "" {
		if err := m.measure(ctx, s, rows); err != nil {
			for i := range rows {
				rows[i].err = err
			}
		}
	}
	for i := range rows {
		rows[i].missing = missing
		fmt.Fprintf(m.progress, "%s: %s\n", rows[i].name(), rows[i].summary())
	}
	fmt.Fprintf(m.progress, "%s: took %s\n", s.dir, time.Since(begun).Round(time.Second))
	return rows
}

// choose finds the servers of these names; no names are all of them.
func choose(names []string) ([]server, error) {
	if len(names) == 0 {
		return servers, nil
	}
	var chosen []server
	for _, name := range names {
		i := slices.IndexFunc(servers, func(s server) bool { return s.dir == name })
		if i < 0 {
			var known []string
			for _, s := range servers {
				known = append(known, s.dir)
			}
			return nil, fmt.Errorf("no example %q: there are %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, servers[i])
	}
	return chosen, nil
}
