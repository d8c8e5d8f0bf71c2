package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestRestartPolicyDecidesWhatIsStartedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		ending string // the last statement of the script
		keys   []string
		next   string // what the log says next
	}{
		{"always after status 0", "exit 0", nil, "restart"},
		{"always after status 1", "exit 1", nil, "restart"},
		{"on-failure after status 0", "exit 0", []string{`restart = "on-failure"`}, "generation done"},
		{"on-failure after status 1", "exit 1", []string{`restart = "on-failure"`}, "restart"},
		{"on-failure after a code of success", "exit 3", []string{`restart = "on-failure"`, "success_exit_codes = [0, 3]"}, "generation done"},
		{"on-failure after status 0 that is no success", "exit 0", []string{`restart = "on-failure"`, "success_exit_codes = [3]"}, "restart"},
		{"on-failure after a signal", "die KILL", []string{`restart = "on-failure"`}, "restart"},
		{"on-failure after the stop signal from elsewhere", "die TERM", []string{`restart = "on-failure"`}, "restart"},
		{"no after status 0", "exit 0", []string{`restart = "no"`}, "generation done"},
		{"no after status 1", "exit 1", []string{`restart = "no"`}, "given up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := quick + service("web", "say serving; gate g${HUPWATCH_GENERATION}; "+c.ending, c.keys...)
			d := startDaemon(t, config)
			d.up("web", 1)
			d.open("g1")
			d.sees("msg="+c.next, "service=web")
			if c.next == "restart" {
				d.sees("msg=generation ended", "generation=1")
				d.sees("msg=restart", "in=0s")
				d.up("web", 2)
				return
			}
			// The next generation is the one that is asked for.
			d.signal(syscall.SIGHUP)
			d.sees("msg=reload ended", "generation=2", "result=started")
			if n := len(d.all("msg=restart")); n != 0 {
				t.Errorf("it was restarted")
			}
		})
	}
}

// delays are the delays of the restarts of web so far.
func (d *daemon) delays() []string {
	var delays []string
	for _, e := range d.all("msg=restart", "service=web") {
		delays = append(delays, e["in"])
	}
	return delays
}

func TestRestartsSlowDownUntilTheServiceIsGivenUp(t *testing.T) {
	t.Parallel()
	keys := []string{failing, `restart_delay = "20ms"`, `restart_max_delay = "100ms"`, "restart_limit = 7"}
	d := startDaemon(t, quick+service("web", "exit 1", keys...))
	d.await("msg=given up", "service=web")
	want := []string{"0s", "20ms", "40ms", "80ms", "100ms", "100ms"}
	if got := d.delays(); !slices.Equal(got, want) {
		t.Errorf("the delays are %v, want %v", got, want)
	}

	// A reload tries at once, and counts anew.
	keys[3] = "restart_limit = 3"
	d.configure(quick + service("web", "exit 2", keys...))
	d.signal(syscall.SIGHUP)
	d.await("msg=reload ended", "result=failed")
	d.await("msg=given up", "service=web")
	want = append(want, "0s", "20ms")
	if got := d.delays(); !slices.Equal(got, want) {
		t.Errorf("the delays are %v, want %v", got, want)
	}

	d.configure(quick + service("web", "serve"))
	d.name("web\n")
	d.await("msg=reload done", "started=1")
	d.sees("said=serving")
}

func TestReloadInBackoffTriesTheNewFileAtOnce(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "exit 1", failing, `restart_delay = "1h"`, `restart_max_delay = "1h"`))
	d.sees("msg=restart", "in=1h0m0s")
	d.configure(quick + service("web", "serve"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "started=1")
	d.up("web", 3)
}

func TestReloadAskedForInAStartBeginsAfterIt(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", `warmup = "1s"`))
	d.serving("web", 1)
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "promoted=1")
	d.order([]string{"msg=generation promoted", "generation=1"}, []string{"msg=generation started", "generation=2"})
}

func TestCrashRestartsTheReleaseThatRan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, release := range []string{"one", "two", "three"} {
		if err := os.Mkdir(dir+"/"+release, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(player(), dir+"/"+release+"/app"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+release+"/env", []byte("RELEASE="+release+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	deploy := func(release string) {
		t.Helper()
		if err := os.Symlink(release, dir+"/current.new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(dir+"/current.new", dir+"/current"); err != nil {
			t.Fatal(err)
		}
	}
	deploy("one")
	text := quick + "[services.web]\nworking_dir = \"current\"\nenv_file = [\"current/env\"]\ncommand = [\"./app\", \"say ${RELEASE}; serve\"]\n"
	d := startDaemonIn(t, dir, text)
	expect := func(generation int, release string) int {
		t.Helper()
		d.says(release, "web", generation) // the environment
		pid := d.promoted("web", generation)
		if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil && cwd != dir+"/"+release {
			t.Errorf("generation %d runs in %s, want %s", generation, cwd, release)
		}
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && !strings.HasPrefix(string(line), dir+"/"+release+"/app\x00") {
			t.Errorf("generation %d is %q, want that of %s", generation, line, release)
		}
		return pid
	}
	crash := func(pid int) {
		t.Helper()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	pid := expect(1, "one")
	deploy("two")
	crash(pid)
	expect(2, "one")
	d.signal(syscall.SIGHUP)
	expect(3, "two")
	d.sees("msg=generation exited", "generation=2")
	pid = expect(3, "two")
	deploy("three")
	if err := os.RemoveAll(dir + "/two"); err != nil {
		t.Fatal(err)
	}
	crash(pid)
	pid = expect(4, "one") // nothing is left of two
	if err := os.RemoveAll(dir + "/one"); err != nil {
		t.Fatal(err)
	}
	crash(pid)
	expect(5, "three")
}

func TestCrashDoesNotReadTheFile(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	pid := d.up("web", 1)
	d.configure("[services.web]\nthis is no TOML")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.up("web", 2)
}
