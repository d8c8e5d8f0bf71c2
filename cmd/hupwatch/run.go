package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"hupwatch/cmd/hupwatch/early"
)

// The exit codes.
const (
	exitDone  = 0
	exitOther = 1
	exitUsage = 2 // bad usage or configuration
)

const usage = `hupwatch keeps several services running and reloads them with no lost request.

  hupwatch -c FILE            run the services of FILE, in the foreground
  hupwatch [-v] [-w SEC] [-k] -- COMMAND [ARG...]
                              run one service without a file
  hupwatch check [-c FILE]    report every problem of FILE at once (also: -t -c FILE)
  hupwatch version            print the version
  hupwatch help               print this

FILE is /etc/hupwatch.toml for check where -c is not given.

While it runs:
  kill -HUP PID     read FILE again and reload every service: start a new process,
                    see it through its warm-up, only then stop the old one. What
                    is no good is taken back, and the log says why.
  kill -USR2 PID    the same for the services named, one a line, in
                    daemon.name_file (default: reload in daemon.runtime_dir)
  kill -TERM PID    stop every service gracefully and end (also: QUIT, INT;
                    a second INT kills what is left)
PID is in the file pid in daemon.runtime_dir.

One service without a file: -w is its warm-up in seconds (default 1), -v logs
what happens. A TERM leaves the command running; with -k, or as PID 1, it is
stopped. When the command ends, hupwatch ends with its exit code.

Exit codes: 0 clean stop, or a good FILE; 2 bad usage or configuration; the own
code of an essential service (128 + N where signal N ended it); else 1.
`

// defaultConfig is where the configuration is looked for.
const defaultConfig = "/etc/hupwatch.toml"

// notYet are the commands that are promised but not there yet.
var notYet = []string{"status", "reload", "start", "stop", "restart", "signal", "plan", "logs", "events", "upgrade", "import", "completion"}

// run is the program: arguments in, exit code out.
func run(args []string, stdout, stderr io.Writer) int {
	if i := slices.Index(args, "--"); i >= 0 && !isCommand(args) {
		return runOneService(args[:i], args[i+1:], stdout, stderr)
	}
	if !isCommand(args) {
		return foreground(args, stdout, stderr)
	}
	early.Release()
	switch command, rest := args[0], args[1:]; {
	case command == "help":
		fmt.Fprint(stdout, usage)
		return exitDone
	case command == "version":
		fmt.Fprintln(stdout, "hupwatch", versionText())
		return exitDone
	case command == "check":
		return check(rest, stdout, stderr)
	case slices.Contains(notYet, command):
		return complain(stderr, fmt.Errorf("%s: not supported yet; HUP and USR2 reload, see hupwatch help", command))
	case strings.HasSuffix(command, ".toml"):
		return complain(stderr, fmt.Errorf("%q: no such command; to run the services of a file: hupwatch -c %s", command, command))
	default:
		return complain(stderr, fmt.Errorf("%q: no such command; see hupwatch help", command))
	}
}

// isCommand tells whether the first argument is one, and no option.
func isCommand(args []string) bool {
	return len(args) > 0 && !strings.HasPrefix(args[0], "-")
}

// foreground is what hupwatch does without a command: it is the daemon.
func foreground(args []string, stdout, stderr io.Writer) int {
	var file string
	var test, version bool
	flags := newFlags(&file)
	flags.BoolVar(&test, "t", false, "")
	flags.BoolVar(&version, "version", false, "")
	switch err := parse(flags, args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitDone
	case err != nil && new(oneService).flags().Parse(args) == nil:
		return complain(stderr, errors.New("a command goes behind a --: hupwatch [-v] [-w SEC] [-k] -- COMMAND [ARG...]"))
	case err != nil:
		return complain(stderr, err)
	case version:
		fmt.Fprintln(stdout, "hupwatch", versionText())
		return exitDone
	case test:
		return checkFile(file, stdout, stderr)
	case file == "":
		return complain(stderr, errors.New("-c FILE is missing; see hupwatch help"))
	}
	return runFile(file, stderr)
}

func newFlags(file *string) *flag.FlagSet {
	flags := flag.NewFlagSet("hupwatch", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(file, "c", "", "")
	flags.StringVar(file, "config", "", "")
	return flags
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w; see hupwatch help", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q: too many arguments; see hupwatch help", flags.Arg(0))
	}
	return nil
}

// complain says what was wrong with the usage.
func complain(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "hupwatch: %v\n", err)
	return exitUsage
}

// version is set when a release is built.
var version string

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
