package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newOne is a hupwatch of one service, ./web, which does what deploy says.
func newOne(t *testing.T, options ...string) *daemon {
	t.Helper()
	return newOneIn(t, t.TempDir(), options...)
}

func newOneIn(t *testing.T, dir string, options ...string) *daemon {
	t.Helper()
	d := newDaemon(t, dir)
	d.cmd = hupwatch(append(slices.Clone(options), "--", "./web")...)
	d.cmd.Dir = dir
	d.cmd.Env = append(d.cmd.Env, asService+"=1", "PWD="+dir)
	return d
}

// deploy makes a release of the service.
func (d *daemon) deploy(script string) {
	d.t.Helper()
	d.write("script", script)
	d.write("web", fmt.Sprintf("#!/bin/sh\nexec '%s' \"$(cat script)\"\n", player()))
	if err := os.Chmod(d.path("web"), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

// startOne starts a hupwatch of one service that does what the script says.
func startOne(t *testing.T, script string, options ...string) *daemon {
	t.Helper()
	d := newOne(t, options...)
	d.deploy(script)
	d.start()
	return d
}

// Options of most tests: hupwatch tells what it does, and the warm-up is short or
// never over.
var (
	brisk = []string{"-v", "-w", "0.05"}
	trial = []string{"-v", "-w", "3600"}
)

// ended waits for the end of hupwatch and expects this exit code.
func (d *daemon) ended(want int) {
	d.t.Helper()
	if code := d.wait(); code != want {
		d.t.Errorf("exit code %d, want %d", code, want)
	}
}

// eventually waits for what nothing tells about: that the kernel came to it.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(patience)
	for again := time.Tick(5 * time.Millisecond); !is(); {
		select {
		case <-again:
		case <-late:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func TestOneServiceIsReloadedByHUPAndUSR2(t *testing.T) {
	t.Parallel()
	d := startOne(t, "serve", brisk...)
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	d.signal(syscall.SIGUSR2)
	d.up("web", 3)
	d.sees("msg=generation exited", "generation=2", "exit=exited with status 0")
	d.ends(syscall.SIGINT, soon)
	d.says("got TERM", "web", 3)
}

func TestTheEndOfTheOneServiceIsThatOfHupwatch(t *testing.T) {
	t.Parallel()
	for _, warmup := range []string{"0", "3600"} {
		for ending, want := range map[string]int{
			"exit 0": 0, "exit 1": 1, "exit 7": 7, "exit 255": 255,
			"die TERM": 128 + 15, "die KILL": 128 + 9, "die HUP": 128 + 1,
		} {
			t.Run(ending+" with a warm-up of "+warmup, func(t *testing.T) {
				t.Parallel()
				d := startOne(t, "say serving; gate g; "+ending, "-v", "-w", warmup)
				d.serving("web", 1)
				d.open("g")
				d.ended(want)
				if n := len(d.all("msg=generation started")); n != 1 {
					t.Errorf("%d generations were started", n)
				}
			})
		}
	}
}

func TestACrashOfTheOneServiceLeavesNothingOfItsGroup(t *testing.T) {
	t.Parallel()
	d := startOne(t, "child say child, await TERM, exit 0; say serving; gate g; exit 3", "-v", "-w", "0", "--runtime-dir", "run")
	d.says("child", "web", 1)
	d.serving("web", 1)
	d.open("g")
	d.ended(3) // looks for survivors
	d.sees("said=got TERM")
}

func TestAStoppedServiceIsNoEnd(t *testing.T) {
	t.Parallel()
	d := startOne(t, "record; serve", brisk...)
	pid := d.up("web", 1)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	d.says("got CONT", "web", 1)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP) // a stopped old one hears its TERM
	d.up("web", 2)
	d.says("got TERM", "web", 1)
	d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	if ends := d.all("msg=generation ended"); len(ends) > 0 {
		t.Errorf("%v", ends)
	}
	d.ends(syscall.SIGINT, soon)
}

func TestTheEndOfAStrangerIsNotThatOfTheService(t *testing.T) {
	t.Parallel()
	d := newOne(t, brisk...)
	d.deploy("serve")
	// The orphan comes to hupwatch and ends with a status of its own.
	d.write("web", fmt.Sprintf("#!/bin/sh\n(sh -c 'echo said=orphan pid=$$ >&2; exit 3' &)\nexec '%s' \"$(cat script)\"\n", player()))
	if err := os.Chmod(d.path("web"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.up("web", 1)
	orphan := d.sees("said=orphan").pid(t)
	eventually(t, "the orphan is reaped", func() bool { return syscall.Kill(orphan, 0) == syscall.ESRCH })
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	d.ends(syscall.SIGINT, soon)
}

func TestWhenTheOldOneDiesInAReloadTheNewOneDecides(t *testing.T) {
	t.Parallel()
	t.Run("and goes on", func(t *testing.T) {
		t.Parallel()
		d := startOne(t, "say serving; gate old; exit 1", "-v", "-w", "5")
		d.up("web", 1)
		d.deploy("say serving; gate new; exit 5")
		d.signal(syscall.SIGHUP)
		d.serving("web", 2)
		d.open("old")
		d.sees("msg=generation ended", "generation=1", "exit=exited with status 1")
		d.promoted("web", 2)
		d.open("new")
		d.ended(5)
	})
	t.Run("and is no good", func(t *testing.T) {
		t.Parallel()
		d := startOne(t, "say serving; gate old; exit 1", "-v", "-w", "5")
		d.up("web", 1)
		d.deploy("say serving; gate new; exit 6")
		d.signal(syscall.SIGHUP)
		d.serving("web", 2)
		d.open("old")
		d.sees("msg=generation ended", "generation=1")
		d.open("new")
		d.ended(6)
	})
}

func TestTheEndOfTheNewOneWaitsForTheDrainOfTheOld(t *testing.T) {
	t.Parallel()
	d := startOne(t, "serve; gate old; exit 0", brisk...)
	d.up("web", 1)
	d.deploy("say serving; gate new; exit 7")
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	d.says("got TERM", "web", 1)
	d.open("new")
	d.sees("msg=stopping all services")
	d.open("old")
	d.ended(7)
	d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	d.neverKilled()
}

// leaving makes the log of hupwatch outlive it, with those that still say
// something to it, and returns what reads that. They end with the test.
func (d *daemon) leaving() *daemon {
	d.t.Helper()
	if err := makeGate(d.path("log")); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.OpenFile(d.path("log"), os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	d.cmd.Stdout, d.cmd.Stderr = f, f
	said := &daemon{t: d.t, log: newEventLog()}
	go said.log.read(f) // ends when the test does
	d.t.Cleanup(func() {
		for _, e := range said.all("msg=generation left") {
			_ = syscall.Kill(-e.pid(d.t), syscall.SIGKILL)
		}
		f.Close()
		if d.t.Failed() {
			d.t.Logf("the log:\n%s", said.log.text())
		}
	})
	return said
}

func TestTermLeavesTheOneServiceRunning(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			d := newOne(t, brisk...)
			d.deploy("record; await USR1; serve")
			said := d.leaving()
			d.start()
			said.says("awaiting USR1", "web", 1)
			pid := said.promoted("web", 1)
			d.ends(sig, soon)
			if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
			said.serving("web", 1) // long after
			if heard := said.all("said=got TERM"); len(heard) > 0 {
				t.Errorf("it was told to stop: %v", heard)
			}
		})
	}
}

func TestTermLeavesWhatServesAndWhatDrainsButNotWhatIsOnTrial(t *testing.T) {
	t.Parallel()
	d := newOne(t, "-v", "-w", "5")
	d.deploy("serve; say draining; hang")
	said := d.leaving()
	d.start()
	said.serving("web", 1)
	draining := said.promoted("web", 1)
	d.deploy("serve")
	d.signal(syscall.SIGHUP)
	said.says("draining", "web", 1)
	serving := said.serving("web", 2)
	said.promoted("web", 2)
	d.signal(syscall.SIGHUP)
	trial := said.serving("web", 3)
	d.ends(syscall.SIGTERM, soon)
	for pid, want := range map[int]bool{draining: true, serving: true, trial: false} {
		if alive(pid) != want {
			t.Errorf("process %d lives: %v, want %v", pid, !want, want)
		}
	}
}

func TestKillAtExitStopsTheOneService(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"-k", "--kill-at-exit"} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			d := startOne(t, "child say child, await TERM, exit 0; record; serve", append(slices.Clone(brisk), option)...)
			d.says("child", "web", 1)
			d.up("web", 1)
			d.ends(syscall.SIGTERM, soon)
			d.says("got TERM", "web", 1)
			d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
			d.neverKilled()
		})
	}
}

func TestInterruptStopsTheOneServiceAlways(t *testing.T) {
	t.Parallel()
	for _, options := range [][]string{brisk, append(slices.Clone(brisk), "-k"), trial} {
		t.Run(strings.Join(options, " "), func(t *testing.T) {
			t.Parallel()
			d := startOne(t, "serve", options...)
			d.serving("web", 1)
			d.ends(syscall.SIGINT, soon)
			d.says("got TERM", "web", 1)
			d.neverKilled()
		})
	}
}

func TestADeafOneServiceHoldsUpNothing(t *testing.T) {
	t.Parallel()
	t.Run("no reload and no leaving", func(t *testing.T) {
		t.Parallel()
		d := newOne(t, brisk...)
		d.deploy("ignore TERM; say deaf; hang")
		said := d.leaving()
		d.start()
		said.says("deaf", "web", 1)
		said.promoted("web", 1)
		for generation := 2; generation <= 3; generation++ { // no more drain at the same time
			d.signal(syscall.SIGHUP)
			said.says("deaf", "web", generation)
			said.promoted("web", generation)
		}
		d.signal(syscall.SIGHUP)
		said.sees("msg=reload waits")
		d.ends(syscall.SIGTERM, soon)
	})
	t.Run("no stop", func(t *testing.T) {
		t.Parallel()
		d := startOne(t, "ignore TERM; say deaf; hang", append(slices.Clone(brisk), "-k")...)
		d.says("deaf", "web", 1)
		d.promoted("web", 1)
		d.signal(syscall.SIGTERM)
		d.sees("msg=stop signal sent", "generation=1", "kill_in=30s")
		d.signal(syscall.SIGINT)
		d.sees("msg=signal ignored", "by=signal INT")
		d.ends(syscall.SIGINT, soon)
		d.sees("msg=generation killed", "generation=1")
	})
}

func TestHangupsDuringAReloadAreExactlyOneMore(t *testing.T) {
	t.Parallel()
	d := startOne(t, "serve", "-v", "-w", "5")
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.serving("web", 2)
	for n := 2; n <= 6; n++ {
		d.signal(syscall.SIGHUP)
		d.sees("msg=reload asked", fmt.Sprint("reload=", n))
	}
	for n := 1; n <= 6; n++ {
		d.sees("msg=reload done", fmt.Sprint("reload=", n), "promoted=1")
	}
	d.up("web", 3)
	d.ends(syscall.SIGINT, soon)
	if n := len(d.all("msg=generation started")); n != 3 {
		t.Errorf("%d generations, want 3", n)
	}
}

func TestAFailedReloadOfTheOneServiceIsLoggedAndNothingElse(t *testing.T) {
	t.Parallel()
	d := startOne(t, "serve", brisk[1:]...) // errors are logged without -v
	pid := d.serving("web", 1)
	if err := os.Rename(d.path("web"), d.path("gone")); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP)
	e := d.sees("msg=reload ended", "result=kept_old", "level=error")
	if !strings.Contains(e["err"], "web: no such file") {
		t.Errorf("the reason is %q", e["err"])
	}
	if !alive(pid) {
		t.Errorf("the old one is gone")
	}
	if err := os.Rename(d.path("gone"), d.path("web")); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP)
	d.serving("web", 2)
	d.says("got TERM", "web", 1)
	d.ends(syscall.SIGINT, soon)
}

func TestAHangupRightAfterTheStartKillsNothing(t *testing.T) {
	t.Parallel()
	d := startOne(t, "serve", "-v", "-w", "0.5")
	d.sees("msg=hupwatch started")
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "promoted=1")
	d.up("web", 2)
	d.ends(syscall.SIGINT, soon)
}

func TestASwitchedLinkIsFollowedByTheNextReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	releases := newOneIn(t, dir)
	point := func(release string) {
		t.Helper()
		if err := os.Symlink(release, filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "current")); err != nil {
			t.Fatal(err)
		}
	}
	for _, release := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, release), 0o755); err != nil {
			t.Fatal(err)
		}
		releases.dir = filepath.Join(dir, release)
		releases.deploy("say " + release + "; serve")
	}
	point("one")
	d := newOneIn(t, filepath.Join(dir, "current"), brisk...)
	d.start()
	d.says("one", "web", 1)
	d.up("web", 1)
	point("two")
	d.signal(syscall.SIGHUP)
	d.says("two", "web", 2)
	if e := d.sees("msg=generation started", "generation=2"); e["release"] != filepath.Join(dir, "two") {
		t.Errorf("generation 2 runs in %s", e["release"])
	}
	d.up("web", 2)
	d.ends(syscall.SIGINT, soon)
}

func TestTheWarmupOfTheOneServiceIsAFloat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ options, warmup string }{
		{"-v", "1s"},
		{"-v -w 0", ""},
		{"-v -w 0.25", "250ms"},
		{"-v -w=2", "2s"},
		{"--verbose --warmup-time 1.5", "1.5s"},
		{"-vv -w 1e-3", "1ms"},
		{"-vvv -w .5", "500ms"},
	} {
		t.Run(c.options, func(t *testing.T) {
			t.Parallel()
			d := startOne(t, "serve", strings.Fields(c.options)...)
			if e := d.sees("msg=generation started", "generation=1"); e["warmup"] != c.warmup {
				t.Errorf("the warm-up is %s, want %s", e["warmup"], c.warmup)
			}
			d.serving("web", 1)
			d.ends(syscall.SIGINT, soon)
		})
	}
}

func TestTheOneServiceIsSilentUnlessAsked(t *testing.T) {
	t.Parallel()
	d := startOne(t, "serve", "-w", "0", "-k")
	d.serving("web", 1)
	d.ends(syscall.SIGTERM, soon)
	if lines := d.all("level=info"); len(lines) > 0 {
		t.Errorf("hupwatch said %v", lines)
	}
}

func TestTheOneServiceIsNamedAfterItsCommand(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"./web": "web", "/bin/sh": "sh", "true": "true", "./my app": "my-app", "./_x": "x", "./-": "service", "./all": "service",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if strings.HasPrefix(command, "./") {
				if err := os.WriteFile(filepath.Join(dir, command), []byte("#!/bin/sh\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := hupwatch("-v", "-w", "0", "--", command)
			cmd.Dir = dir
			if out, code := output(cmd); code != exitDone || !strings.Contains(out, "service="+want+" ") {
				t.Errorf("exit code %d, want a service %s:\n%s", code, want, out)
			}
		})
	}
}

func TestTheCommandIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	cmd := hupwatch("--", "sh", "-c", `printf '<%s>' "$@"; cat`, "$HOME", "${NOT_SET}", "$$", "--", "-c", "a  b", "")
	cmd.Stdin = strings.NewReader("not for the service")
	stdout, err := cmd.Output()
	if want := "<${NOT_SET}><$$><--><-c><a  b><>"; err != nil || string(stdout) != want {
		t.Errorf("%q, %v; want %q", stdout, err, want)
	}
}

func TestRuntimeDirOfTheOneServiceIsHeldByOne(t *testing.T) {
	t.Parallel()
	d := startOne(t, "serve", append(slices.Clone(brisk), "--runtime-dir", "run")...)
	d.up("web", 1)
	if text, err := os.ReadFile(d.path("run", "pid")); err != nil || strings.TrimSpace(string(text)) != fmt.Sprint(d.cmd.Process.Pid) {
		t.Errorf("the pid file says %q, %v", text, err)
	}
	second := newOneIn(t, d.dir, "--runtime-dir", "run")
	if out, code := output(second.cmd); code != exitOther || !strings.Contains(out, "another hupwatch") {
		t.Errorf("exit code %d, want %d:\n%s", code, exitOther, out)
	}
	d.ends(syscall.SIGINT, soon)
}

func TestBadUsageOfTheOneServiceSaysWhatAndEndsWith64(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		"--":                          "no command behind the --",
		"-v --":                       "no command behind the --",
		"-c web.toml -- true":         "exclude each other",
		"--config web.toml -- x":      "exclude each other",
		"-w -- true":                  "flag needs an argument",
		"-w fast -- true":             "invalid value",
		"-w -1 -- true":               "the warm-up is a number of seconds",
		"-w NaN -- true":              "the warm-up is a number of seconds",
		"-w Inf -- true":              "the warm-up is a number of seconds",
		"-x -- true":                  "unknown option -x",
		"-v true -- true":             "write the command behind the --",
		"-k=perhaps -- true":          "invalid boolean value",
		"--runtime-dir=run -w 1 true": "a command goes behind a --",
		"-v true":                     "a command goes behind a --",
		"-w 1 true":                   "a command goes behind a --",
		"true":                        "no such command",
		"":                            "-c FILE is missing",
	} {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			out, code := output(hupwatch(strings.Fields(arguments)...))
			usage := exitDaemonUsage
			if arguments == "true" { // it may be a command that somebody mistyped
				usage = exitUsage
			}
			if code != usage || !strings.Contains(out, want) || !strings.HasPrefix(out, "hupwatch: ") {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, usage, want, out)
			}
		})
	}
}

func TestACommandThatIsNotThereEndsAsInAShell(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"./no/such/program", "no-such-program"} {
		cmd := hupwatch("--", command)
		cmd.Dir = t.TempDir()
		if out, code := output(cmd); code != 127 || !strings.Contains(out, "start failed") {
			t.Errorf("exit code %d, want 127:\n%s", code, out)
		}
	}
}
