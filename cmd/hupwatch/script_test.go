package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// TestScript is the commands and a daemon together, as people use them.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: setup, Cmds: scriptCommands(), RequireExplicitExec: true})
}

// TestClient is the commands alone, against answers that are in the scripts.
func TestClient(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/client", Setup: setup, Cmds: scriptCommands(), RequireExplicitExec: true})
}

// setup makes hupwatch a program of the script.
func setup(env *testscript.Env) error {
	bin := filepath.Join(env.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bin, "hupwatch"), fmt.Appendf(nil, "#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asHupwatch, self()), 0o755); err != nil {
		return err
	}
	env.Setenv("PATH", bin+":"+env.Getenv("PATH"))
	env.Setenv("GORACE", "atexit_sleep_ms=0")
	env.Setenv("SERVICE", player()) // a service of a script is SERVICE with what it does
	env.Setenv(asService, "1")
	return nil
}

// scriptCommands are the words that scripts have beside those of testscript.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits":    exitsCommand,
		"timeless": timelessCommand,
		"fake":     fakeCommand,
		"daemon":   daemonCommand,
		"await":    awaitCommand,
		"signal":   signalCommand,
	}
}

// exitsCommand runs a program and wants an exit code: exits 3 hupwatch status.
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		code, err = exitCode(failed.ProcessState), nil
	}
	ts.Check(err)
	if want, _ := strconv.Atoi(args[0]); code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// ownTime is how long a client says that it took itself.
var ownTime = regexp.MustCompile(`(?m), in <?[0-9.]+s$`)

// timelessCommand copies a file without that: timeless stdout got.
func timelessCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: timeless FROM TO")
	}
	text := ownTime.ReplaceAllString(ts.ReadFile(args[0]), ", in a moment")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// fakeCommand makes the script's directory answers one of a control socket, run/control.sock.
func fakeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: fake")
	}
	ts.Check(startFake(ts.MkAbs("."), ts.Defer))
	ts.Setenv(socketVariable, ts.MkAbs("run/control.sock"))
}

// daemonCommand starts hupwatch with hupwatch.toml, its log goes to the file log.
// It returns when it answers, and the script ends when it has ended.
func daemonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: daemon")
	}
	log, err := os.Create(ts.MkAbs("log"))
	ts.Check(err)
	defer log.Close()
	cmd := hupwatch("-c", ts.MkAbs("hupwatch.toml"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), log, log
	cmd.Env = append(cmd.Env, "PWD="+cmd.Dir, asService+"=1", "SERVICE="+player())
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	})
	ts.Setenv(socketVariable, ts.MkAbs("run/control.sock"))
	awaitCommand(ts, false, []string{"run/control.sock"})
}

// awaitCommand waits for a file, or for a pattern in it: await log 'generation promoted'.
func awaitCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await FILE [PATTERN]")
	}
	pattern, err := regexp.Compile("(?m)" + strings.Join(args[1:], ""))
	ts.Check(err)
	late := time.After(patience)
	for again := time.Tick(5 * time.Millisecond); ; {
		info, err := os.Stat(ts.MkAbs(args[0]))
		if err == nil && (len(args) == 1 || info.Mode().IsRegular() && pattern.MatchString(ts.ReadFile(args[0]))) {
			return
		}
		select {
		case <-again:
		case <-late:
			ts.Fatalf("%q did not come within %v", args, patience)
		}
	}
}

// signalCommand sends a signal to the process in a file, or to what the script
// started in the background last: signal HUP run/pid.
func signalCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: signal SIGNAL [FILE]")
	}
	sig := unix.SignalNum("SIG" + args[0])
	if len(args) == 2 {
		pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
		ts.Check(err)
		ts.Check(syscall.Kill(pid, sig))
		return
	}
	background := ts.BackgroundCmds()
	if len(background) == 0 {
		ts.Fatalf("nothing is in the background")
	}
	ts.Check(background[len(background)-1].Process.Signal(sig))
}
