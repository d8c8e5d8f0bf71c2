package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// badRelease is something that makes a new release no good: keys of the service,
// or another command, and what the reason must say.
type badRelease struct {
	name    string
	command string // the test's own service unless set
	keys    string
	reasons []string
	mode    os.FileMode // of the file "bad", with this text, where set
	text    string
}

var badReleases = []badRelease{
	{name: "binary missing", command: `["/no/such/program"]`, reasons: []string{"command", "/no/such", "no such file"}},
	{name: "relative binary missing", command: `["./absent"]`, reasons: []string{"command", "/absent", "no such file"}},
	{name: "not in PATH", command: `["no-such-program-anywhere"]`, reasons: []string{"command", "no-such-program-anywhere", "PATH"}},
	{name: "binary is a directory", command: `["/etc/"]`, reasons: []string{"command", " /etc: ", "directory"}},
	{name: "not executable", command: `["./bad"]`, text: "#!/bin/sh\n", mode: 0o644, reasons: []string{"command", "/bad", "chmod +x"}},
	{name: "interpreter missing", command: `["./bad"]`, text: "#!/no/such/interpreter\n", mode: 0o755, reasons: []string{"/bad", "interpreter"}},
	{name: "no program at all", command: `["./bad"]`, text: "this is no program\n", mode: 0o755, reasons: []string{"/bad", "exec format error", "#!"}},
	{name: "empty program", command: `["./bad"]`, text: "\n", mode: 0o755, reasons: []string{"/bad", "exec format error"}},
	{name: "working_dir missing", keys: `working_dir = "gone"`, reasons: []string{"working_dir", "/gone", "no such file"}},
	{name: "working_dir is a file", keys: `working_dir = "bad"`, text: "x", mode: 0o644, reasons: []string{"working_dir", "/bad", "not a directory"}},
	{name: "unknown user", keys: `user = "nobody-at-all"`, reasons: []string{"user nobody-at-all", "no such user"}},
	{name: "unknown group", keys: `group = "nobodies-at-all"`, reasons: []string{"group nobodies-at-all", "no such group"}},
	{name: "env_file missing", keys: `env_file = ["absent.env"]`, reasons: []string{"env_file", "/absent.env", "no such file"}},
	{name: "env_file bad", keys: `env_file = ["bad"]`, text: "GOOD=1\nthis is not\n", mode: 0o644, reasons: []string{"env_file", "/bad:2: "}},
	{name: "env_file is a directory", keys: `env_file = ["/etc"]`, reasons: []string{"env_file", "/etc", "directory"}},
	{name: "variable unset", keys: `environment = { X = "${NO_SUCH_VARIABLE}" }`, reasons: []string{"environment.X", "NO_SUCH_VARIABLE"}},
	{name: "variable in command unset", command: `["true", "${NO_SUCH_VARIABLE}"]`, reasons: []string{"command", "NO_SUCH_VARIABLE"}},
	{name: "ends with an error", command: `["false"]`, reasons: []string{"exited with status 1", "warm-up"}},
	{name: "goes into the background", command: `["true"]`, reasons: []string{"exited with status 0", "warm-up", "foreground"}},
	{name: "killed", command: `["sh", "-c", "kill -SEGV $$$$"]`, reasons: []string{"killed by signal SEGV"}},
	{name: "address taken", keys: `listen = ["tcp://127.0.0.1:%d"]`, reasons: []string{"listen", "in use"}},
}

func (b badRelease) config(t *testing.T, port int) string {
	text := service("web", "serve", failing, strings.Replace(b.keys, "%d", fmt.Sprint(port), 1))
	if b.command == "" {
		return text
	}
	return strings.Replace(text, fmt.Sprintf("[%q, %q]", player(), "serve"), b.command, 1)
}

func TestBadReleaseKeepsTheOldOneAndTellsWhy(t *testing.T) {
	t.Parallel()
	taken := listenSomewhere(t)
	good := quick + service("other", "serve")
	d := startDaemon(t, good+service("web", "serve"))
	pid := d.up("web", 1)
	for i, bad := range badReleases {
		if bad.mode != 0 {
			d.write("bad", bad.text)
			if err := os.Chmod(d.path("bad"), bad.mode); err != nil {
				t.Fatal(err)
			}
		}
		d.configure(good + bad.config(t, taken))
		d.signal(syscall.SIGHUP)
		reload := fmt.Sprintf("reload=%d", i+1)
		ended := d.sees("msg=reload ended", "service=web", reload)
		if ended["result"] != "kept_old" {
			t.Errorf("%s: the result is %s, want kept_old", bad.name, ended["result"])
		}
		for _, reason := range bad.reasons {
			if !strings.Contains(ended["err"], reason) {
				t.Errorf("%s: the reason is %q, want %q in it", bad.name, ended["err"], reason)
			}
		}
		d.sees("msg=reload ended", "service=other", reload, "result=promoted")
		done := d.sees("msg=reload done", reload)
		if done["not_reloaded"] != "web" {
			t.Errorf("%s: not reloaded was %q", bad.name, done["not_reloaded"])
		}
	}
	if !alive(pid) || len(d.all("msg=stop signal sent", "service=web", "generation=1")) > 0 {
		t.Errorf("the old one is not what it was")
	}
	d.configure(good + service("web", "serve"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload ended", "service=web", "result=promoted")
}

func TestEnvFileThatNeverAnswersKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve")+service("other", "serve"))
	pid := d.up("web", 1)
	d.up("other", 1)
	if err := makeGate(d.path("stuck.env")); err != nil {
		t.Fatal(err)
	}
	d.configure(quick + service("web", "serve", `env_file = ["stuck.env"]`, `start_timeout = "500ms"`) + service("other", "serve"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload ended", "service=other", "result=promoted")
	ended := d.sees("msg=reload ended", "service=web", "result=kept_old")
	if !strings.Contains(ended["err"], "start_timeout") {
		t.Errorf("the reason is %q", ended["err"])
	}
	d.name("web\n")
	d.sees("msg=reload begun", "service=web", "reload=2")
	if !alive(pid) {
		t.Errorf("the old one is gone")
	}
	d.ends(syscall.SIGTERM, soon)
}

func TestReleaseThatCannotBeStartedAtFirstIsTriedAgain(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", `working_dir = "later"`, `restart_delay = "10ms"`, `restart_max_delay = "20ms"`))
	failed := d.sees("msg=start failed", "service=web")
	if !strings.Contains(failed["err"], "working_dir") {
		t.Errorf("the reason is %q", failed["err"])
	}
	if err := os.Mkdir(d.path("later"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.serving("web", 1)
	d.promoted("web", 1)
}
