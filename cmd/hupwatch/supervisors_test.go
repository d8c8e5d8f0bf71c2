package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// supervised is a hupwatch that another supervisor starts, by what the example of
// that says. The log is that of all of them.
func supervised(t *testing.T, example, supervisor string, args ...string) *daemon {
	t.Helper()
	if _, err := exec.LookPath(supervisor); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	// Not TempDir: the name of the test would make the path of a socket too long.
	dir, err := os.MkdirTemp("", "supervised") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := newDaemon(t, dir)
	if err := os.CopyFS(d.path("example"), os.DirFS("../../examples/"+example)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"run", "bin"} {
		if err := os.Mkdir(d.path(path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(self(), d.path("bin", "hupwatch")); err != nil {
		t.Fatal(err)
	}
	env := append(d.cmd.Env, "PATH="+d.path("bin")+":"+os.Getenv("PATH"))
	d.cmd = exec.Command(supervisor, args...)
	d.cmd.Dir, d.cmd.Env = d.path("example"), env
	return d
}

// serveExample has the example's hupwatch run these services instead of its own.
func (d *daemon) serveExample(services string) {
	d.t.Helper()
	d.write("example/hupwatch.toml", "[daemon]\nruntime_dir = \"../run\"\nstate_dir = \"../state\"\n"+quick+services)
}

// control runs a command that talks to the supervisor, and returns what it said.
func (d *daemon) control(name string, args ...string) string {
	d.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = d.cmd.Dir
	text, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s %q: %v: %s", name, args, err, text)
	}
	return string(text)
}

// crashed kills the process of a generation from outside.
func (d *daemon) crashed(pid int) {
	d.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		d.t.Fatal(err)
	}
	d.sees("msg=generation ended", "exit=killed by signal KILL")
}

func TestHupwatchRunsUnderSupervisord(t *testing.T) {
	t.Parallel()
	d := supervised(t, "supervisord", "supervisord", "-c", "supervisord.conf")
	d.control("mkdir", "run")
	ctl := func(args ...string) string {
		t.Helper()
		return d.control("supervisorctl", append([]string{"-c", "supervisord.conf"}, args...)...)
	}
	d.serveExample(service("web", "serve"))
	d.start()
	started := d.sees("msg=hupwatch started").pid(t)
	d.crashed(d.up("web", 1))
	d.up("web", 2)
	ctl("signal", "HUP", "hupwatch")
	d.up("web", 3)
	d.sees("msg=reload done", "promoted=1")
	if pid := strings.TrimSpace(ctl("pid", "hupwatch")); pid != strconv.Itoa(started) {
		t.Errorf("hupwatch was process %d, now %s", started, pid)
	}
	ctl("stop", "hupwatch")
	d.sees("msg=hupwatch ended", "code=0")
	d.says("got TERM", "web", 3)
	ctl("start", "hupwatch")
	d.awaitAll(2, "msg=hupwatch started")
	d.awaitAll(2, "said=serving", "generation=1")
	ctl("shutdown")
	d.ended(exitDone)
	if n := len(d.all("msg=hupwatch ended", "code=0")); n != 2 {
		t.Errorf("%d hupwatches ended well, want 2", n)
	}
	d.neverKilled()
}

func TestOneServiceRunsUnderSupervisord(t *testing.T) {
	t.Parallel()
	d := supervised(t, "one-service", "supervisord", "-c", "supervisord.conf")
	d.control("mkdir", "run")
	ctl := func(args ...string) {
		t.Helper()
		d.control("supervisorctl", append([]string{"-c", "supervisord.conf"}, args...)...)
	}
	d.cmd.Env = append(d.cmd.Env, asService+"=1")
	deploy := func(script string) {
		t.Helper()
		release := *d
		release.dir = d.cmd.Dir
		release.deploy(script)
	}
	deploy("serve")
	d.start()
	d.up("web", 1)
	deploy("await USR1; exit 7")
	ctl("signal", "HUP", "web")
	d.says("got TERM", "web", 1)
	pid := d.says("awaiting USR1", "web", 2)
	d.promoted("web", 2)
	deploy("serve")
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	d.sees("msg=hupwatch ended", "code=7")
	d.awaitAll(2, "msg=hupwatch started") // no expected code: supervisord starts another
	d.awaitAll(2, "said=serving", "generation=1")
	if !strings.Contains(d.log.text(), "exit status 7; not expected") {
		t.Errorf("supervisord did not see the exit code")
	}
	ctl("stop", "web")
	d.awaitAll(2, "said=got TERM", "generation=1")
	d.sees("msg=hupwatch ended", "code=0")
	ctl("shutdown")
	d.ended(exitDone)
	d.neverKilled()
}

func TestHupwatchRunsUnderRunit(t *testing.T) {
	t.Parallel()
	d := supervised(t, "runit", "runsv", ".")
	sv := func(args ...string) { t.Helper(); d.control("sv", append(args, d.cmd.Dir)...) }
	// What runs under runsv says what it says to the output of that.
	d.cmd.Path, d.cmd.Args = "/bin/sh", []string{"sh", "-c", "exec runsv . >&2"}
	d.serveExample(service("web", "serve"))
	d.start()
	d.crashed(d.up("web", 1))
	d.up("web", 2)
	sv("hup")
	d.up("web", 3)
	d.sees("msg=reload done", "promoted=1")
	d.write("run/reload", "web\n")
	sv("2")
	d.up("web", 4)
	sv("-w", "60", "down")
	d.sees("msg=hupwatch ended", "code=0")
	d.says("got TERM", "web", 4)
	sv("-w", "60", "up")
	d.awaitAll(2, "msg=hupwatch started")
	d.awaitAll(2, "said=serving", "generation=1")
	sv("-w", "60", "exit")
	d.ended(exitDone)
	if n := len(d.all("msg=hupwatch ended", "code=0")); n != 2 {
		t.Errorf("%d hupwatches ended well, want 2", n)
	}
	d.neverKilled()
}
