package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// moving is the answer to a reload that is on its way when it stops.
const moving = `{"at":"NOW","kind":"reload asked","by":"uid 0","reloads":[7]}
{"at":"NOW","kind":"generation started","service":"web","generation":2,"pid":12,"wait_seconds":3630,"reloads":[7]}
`

// done is the end of it.
const done = `{"at":"NOW","kind":"result","reload":{"id":7,"what":"reload","done":true,"services":[{"name":"web","result":"promoted","generation":2,"state":"running","wanted":"up"}]}}
`

// atTerminal is hupwatch at a terminal of 60 by 10, and the fake that answers it
// from a directory.
type atTerminal struct {
	*terminal
	dir   string
	cmd   *exec.Cmd
	shown *transcript
}

// transcript is all that was written to a terminal.
type transcript struct {
	l    *eventLog
	over chan struct{}
}

// askAt starts hupwatch at a terminal with these variables of the environment.
func askAt(t *testing.T, answers map[string]string, env []string, args ...string) *atTerminal {
	t.Helper()
	a := &atTerminal{terminal: newTerminal(t), dir: t.TempDir(), shown: &transcript{l: newEventLog(), over: make(chan struct{})}}
	if err := os.Mkdir(filepath.Join(a.dir, "answers"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range answers {
		if err := os.WriteFile(filepath.Join(a.dir, "answers", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := startFake(a.dir, t.Cleanup); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(a.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 60}); err != nil {
		t.Fatal(err)
	}
	a.cmd = hupwatch(args...)
	a.cmd.Env = append(append(a.cmd.Env, "TERM=xterm", "NO_COLOR=", socketVariable+"="+filepath.Join(a.dir, "run", "control.sock")), env...)
	a.lead(a.cmd)
	a.cmd.Stdout, a.cmd.Stderr = a.slave, a.slave
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the master, which the test closes
		a.shown.l.read(a.master)
		close(a.shown.over)
	}()
	t.Cleanup(func() {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
		a.close()
		<-a.shown.over
	})
	return a
}

// shows waits until the terminal has shown this.
func (a *atTerminal) shows(text string) {
	a.t.Helper()
	eventually(a.t, "the terminal shows "+text, func() bool { return strings.Contains(a.shown.l.text(), text) })
}

// ends waits for the end of the command, and wants this exit code.
func (a *atTerminal) ends(want int) string {
	a.t.Helper()
	_ = a.cmd.Wait()
	if code := exitCode(a.cmd.ProcessState); code != want {
		a.t.Errorf("exit code %d, want %d:\n%q", code, want, a.shown.l.text())
	}
	return a.shown.l.text()
}

func TestOnATerminalAReloadMovesAndCtrlCLeavesItRunning(t *testing.T) {
	t.Parallel()
	a := askAt(t, map[string]string{"reload": moving + "!hang\n"}, nil, "reload", "web")
	a.shows("\x1b[33mwarming up ")
	a.shows("1h00m left")
	a.press(ctrlC)
	a.shows("hupwatch: reload 7 goes on without you; to look again: hupwatch status, hupwatch events")
	text := a.ends(exitLost)
	if !strings.Contains(text, "\x1b[?2026h") || strings.Contains(text, "\x1b[2J") {
		t.Errorf("%q", text)
	}
}

func TestNoLineIsWiderThanTheTerminalIsNow(t *testing.T) {
	t.Parallel()
	a := askAt(t, map[string]string{"reload": strings.ReplaceAll(moving, `"web"`, `"a-rather-long-name"`) + "!await on\n" + done}, nil, "reload")
	a.shows("generation 2, 1h00m left")
	if err := unix.IoctlSetWinsize(int(a.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 40}); err != nil {
		t.Fatal(err)
	}
	a.shows("  gene...\x1b[0m") // without another event
	if err := os.WriteFile(filepath.Join(a.dir, "on"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	a.shows("promoted")
	a.ends(exitDone)
}

func TestColoursAndEscapesCanBeUnwanted(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]struct{ colours, escapes bool }{
		"TERM=xterm": {true, true},
		"NO_COLOR=1": {false, true},
		"TERM=dumb":  {false, false},
		"TERM=":      {false, false},
	} {
		a := askAt(t, map[string]string{"reload": moving + done}, []string{env}, "reload")
		a.shows("reload 7: 1 promoted, in ")
		text := a.ends(exitDone)
		if colours := strings.Contains(text, "\x1b[1m"); colours != want.colours {
			t.Errorf("%s: colours are %v: %q", env, colours, text)
		}
		if escapes := strings.Contains(text, "\x1b"); escapes != want.escapes {
			t.Errorf("%s: escapes are %v: %q", env, escapes, text)
		}
	}
}

func TestTheWatchedStatusLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	answers := map[string]string{"status": `{"services":[{"name":"web","state":"running","wanted":"up","generation":1,"pid":7}]}`}
	for name, end := range map[string]func(*atTerminal){
		"Ctrl-C": func(a *atTerminal) { a.press(ctrlC) },
		"TERM":   func(a *atTerminal) { _ = a.cmd.Process.Signal(syscall.SIGTERM) },
	} {
		a := askAt(t, answers, nil, "status", "--watch")
		a.shows("\x1b[?25l")
		a.shows("\x1b[32mrunning")
		end(a)
		a.shows("\x1b[?25h")
		if text := a.ends(exitDone); strings.Contains(text, "\x1b[2J") {
			t.Errorf("%s: %q", name, text)
		}
	}
}

func TestTheWatchedStatusOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	a := askAt(t, map[string]string{"status": "!cut\n"}, nil, "status", "--watch")
	a.shows("cannot be reached")
	if err := os.WriteFile(filepath.Join(a.dir, "answers", "status"), []byte(`{"services":[{"name":"web","state":"running","wanted":"up"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	a.shows("\x1b[32mrunning")
	a.press(ctrlC)
	a.ends(exitDone)
}

func TestHelpFitsATerminal(t *testing.T) {
	t.Parallel()
	for _, about := range append(commandNames((&program{}).root(nil)), "keys", "") {
		var out bytes.Buffer
		if code := run(strings.Fields("help "+about), &out, &out); code != exitDone {
			t.Errorf("help %s: exit code %d", about, code)
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > helpWidth+1 && !strings.Contains(line, " = ") && !strings.HasPrefix(line, "daemon.") {
				t.Errorf("help %s: %d letters: %q", about, len(line)-1, line)
			}
		}
	}
}
