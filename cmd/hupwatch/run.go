package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/early"
	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// program is one run of hupwatch.
type program struct {
	stdout, stderr io.Writer
	usage          int // the exit code for bad usage
	// then is run after the command line was read: it is the daemon, which lives
	// long and needs nothing of the command line any more.
	then func() int
}

// run is the program: arguments in, exit code out.
func run(args []string, stdout, stderr io.Writer) int {
	if isCommand(args) {
		early.Release()
	}
	p := &program{stdout: stdout, stderr: stderr, usage: exitDaemonUsage}
	if !isCommand(args) {
		return p.execute(args)
	}
	out := &printed{Writer: stdout}
	p.stdout, p.usage = out, exitUsage
	code := p.execute(args)
	if out.err != nil && !errors.Is(out.err, syscall.EPIPE) { // else its reader has seen enough
		p.say(fmt.Errorf("standard output: %w", out.err))
		code = max(code, exitOther)
	}
	return code
}

func (p *program) execute(args []string) int {
	if err := p.root(args).Execute(); err != nil {
		return p.failed(err)
	}
	if p.then != nil {
		return p.then()
	}
	return exitDone
}

// printed is the standard output of a command, and the first error of a write to it.
type printed struct {
	io.Writer
	err error
}

func (w *printed) Write(text []byte) (int, error) {
	n, err := w.Writer.Write(text)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// isCommand reports whether the first argument is a command and not an option.
func isCommand(args []string) bool {
	return len(args) > 0 && !strings.HasPrefix(args[0], "-")
}

// root is the command line: what hupwatch does without a command, and the
// commands.
func (p *program) root(args []string) *cobra.Command {
	mode := &foreground{program: p}
	if i := slices.Index(args, "--"); i >= 0 && !isCommand(args) {
		mode.oneService, mode.command, args = true, args[i+1:], args[:i]
	}
	root := &cobra.Command{
		Use:           "hupwatch",
		Long:          usage,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          mode.run,
	}
	mode.flags(root)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(p.printHelp)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if cmd.HasParent() {
			early.Release()
		}
	}
	if !mode.oneService { // with a --, a word begins the service's command
		root.AddCommand(p.commands()...)
		root.SetHelpCommand(p.help())
	}
	root.SetArgs(mode.twoDashes(root.Flags(), args))
	return root
}

func (p *program) commands() []*cobra.Command {
	return append(p.asking(), p.check(), p.version(), p.completion(), p.notYet("upgrade"), p.notYet("import"))
}

// asking are the commands that ask the hupwatch that runs.
func (p *program) asking() []*cobra.Command {
	return []*cobra.Command{
		p.status(), p.reload(), p.start(), p.stop(), p.restart(), p.rollback(), p.signal(), p.why(), p.plan(), p.logs(), p.events(),
	}
}

// notYet is a command that is promised but not there yet.
func (p *program) notYet(name string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, Args: cobra.ArbitraryArgs, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("%s: not supported yet; see hupwatch help", name)
		},
	}
}

// failed says what went wrong and returns the exit code for it.
func (p *program) failed(err error) int {
	code := p.usage
	if f, ok := errors.AsType[*failure](err); ok {
		code, err = f.code, f.err
	}
	if err != nil {
		p.say(err)
	}
	return code
}

// say says on stderr what went wrong.
func (p *program) say(err error) {
	text := screen.Safe(err.Error())
	if !strings.HasPrefix(text, "hupwatch ") { // cannot be reached, and the like
		text = "hupwatch: " + text
	}
	if errors.Is(err, control.ErrUnreachable) && errors.Is(err, fs.ErrNotExist) {
		text += " To ask another: -c FILE or --socket PATH"
	}
	fmt.Fprintln(p.stderr, text)
}
