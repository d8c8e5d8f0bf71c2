// Command demo is a small web server that does what hupwatch expects of a server:
// it serves the sockets it is handed, names itself in its answers, and stops without
// losing a request. Its flags make it do what hupwatch must cope with.
//
//	/           "RELEASE pid PID generation N"
//	/slow?ms=N  the same, N milliseconds later
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}

// options are the flags of a demo. All but address make it hard to reload.
type options struct {
	address    string
	boot       time.Duration
	fail       bool
	failAfter  time.Duration
	ignoreTerm bool
	orphan     bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.address, "addr", "", "listen on HOST:PORT or, with a slash, on a unix socket; needed unless LISTEN_FDS hands sockets over")
	flags.DurationVar(&o.boot, "boot", 0, "take this long to start")
	flags.BoolVar(&o.fail, "fail", false, "exit with 3 at once")
	flags.DurationVar(&o.failAfter, "fail-after", 0, "exit with 3 after having served for this long")
	flags.BoolVar(&o.ignoreTerm, "ignore-term", false, "ignore TERM and INT")
	flags.BoolVar(&o.orphan, "orphan", false, "start a child and leave it behind")
	err := flags.Parse(args)
	return o, err
}

// run serves until ctx is done and returns the exit code.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		return 2
	}
	if o.fail {
		fmt.Fprintln(stderr, "demo: told to fail")
		return 3
	}
	if o.ignoreTerm {
		ctx = context.WithoutCancel(ctx)
	}

	listeners, err := listen(o.address)
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	if o.orphan {
		if err := leaveOrphan(stderr); err != nil {
			fmt.Fprintln(stderr, "demo:", err)
			return 1
		}
	}
	select {
	case <-time.After(o.boot):
	case <-ctx.Done():
		return 0
	}
	return serve(ctx, listeners, o.failAfter, stderr)
}

func serve(ctx context.Context, listeners []net.Listener, failAfter time.Duration, stderr io.Writer) int {
	name, err := identity()
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	var fail <-chan time.Time
	if failAfter > 0 {
		fail = time.After(failAfter)
	}

	fmt.Fprintln(stderr, "demo: serving as", name)
	done := make(chan error, 1)
	go func() { done <- newServer(name).serve(ctx, listeners) }()
	select {
	case err = <-done:
	case <-fail: // the end of the process ends the server
		fmt.Fprintln(stderr, "demo: told to fail by now")
		return 3
	}
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	fmt.Fprintln(stderr, "demo: stopped", name)
	return 0
}

// listen takes over the sockets handed to this process, or else binds address.
func listen(address string) ([]net.Listener, error) {
	const firstFD = 3
	listeners, err := inherited(os.Getenv, os.Getpid(), firstFD)
	if err != nil || len(listeners) > 0 {
		return listeners, err
	}
	if address == "" {
		return nil, errors.New("no socket: LISTEN_FDS is not set for this process, and -addr is not given")
	}
	l, err := bind(address)
	if err != nil {
		return nil, err
	}
	return []net.Listener{l}, nil
}

// identity is what an answer says: the release, the process and its generation. The
// release is named by RELEASE or else by the directory, symbolic links resolved.
func identity() (string, error) {
	release := os.Getenv("RELEASE")
	if release == "" {
		dir, err := os.Getwd()
		if err != nil {
			return "", err
		}
		dir, err = filepath.EvalSymlinks(dir) // Getwd may return $PWD as it is
		if err != nil {
			return "", err
		}
		release = filepath.Base(dir)
	}
	generation := os.Getenv("HUPWATCH_GENERATION")
	if generation == "" {
		generation = "0"
	}
	return fmt.Sprintf("%s pid %d generation %s", release, os.Getpid(), generation), nil
}

// leaveOrphan starts a child that outlives this process by minutes.
func leaveOrphan(stderr io.Writer) error {
	child := exec.Command("sleep", "300")
	if err := child.Start(); err != nil {
		return fmt.Errorf("start a child: %w", err)
	}
	fmt.Fprintln(stderr, "demo: leaving behind pid", child.Process.Pid)
	return nil
}
