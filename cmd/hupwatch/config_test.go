package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// mistakes are files that must be refused; LINE stands for the last line, where
// the mistake is.
var mistakes = []struct{ name, text, want string }{
	{"unknown key", "[services.web]\ncommand = [\"x\"]\nwarm = \"1s\"", "LINE: services.web.warm: unknown key"},
	{"supervisord", "[services.web]\ncommand = [\"x\"]\nstopwaitsecs = 10", "LINE: services.web.stopwaitsecs: unknown key, did you mean stop_timeout?"},
	{"supervisord's directory", "[services.web]\ncommand = [\"x\"]\ndirectory = \"/\"", "LINE: services.web.directory: unknown key, did you mean working_dir?"},
	{"circus", "[services.web]\ncmd = \"x\"", "LINE: services.web.cmd: unknown key, did you mean command?"},
	{"systemd", "[services.web]\ncommand = [\"x\"]\nExecReload = \"kill\"", "LINE: services.web.ExecReload: unknown key, did you mean reload"},
	{"a program section", "[program.web]\ncommand = [\"x\"]", "did you mean [services.NAME]?"},
	{"not TOML", "[services.web]\ncommand = [\"x\"", "hupwatch.toml:"},
	{"out of range", "[services.web]\ncommand = [\"x\"]\nmax_draining = 0", "LINE: services.web.max_draining: "},
	{"bad signal", "[services.web]\ncommand = [\"x\"]\nstop_signal = \"TREM\"", "LINE: services.web.stop_signal: "},
	{"no services", "", ""},
}

func TestBadFileIsRefusedAtStart(t *testing.T) {
	t.Parallel()
	for _, m := range mistakes {
		if m.text == "" {
			continue
		}
		dir := t.TempDir()
		file := dir + "/hupwatch.toml"
		if err := os.WriteFile(file, []byte(m.text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(m.want, "LINE", fmt.Sprintf("%s:%d", file, strings.Count(m.text, "\n")+1))
		out, code := output(hupwatch("-c", file))
		if code != exitDaemonConfig || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s", m.name, code, exitDaemonConfig, want, out)
		}
	}
}

func TestBadFileChangesNothingAtHangup(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve")+service("other", "serve"))
	web, other := d.up("web", 1), d.up("other", 1)
	for _, m := range mistakes {
		d.configure(m.text)
		d.signal(syscall.SIGHUP)
		// startDaemon's own section comes first.
		want := strings.ReplaceAll(m.want, "LINE", fmt.Sprintf("%s:%d", d.path("hupwatch.toml"), strings.Count(m.text, "\n")+4))
		if m.text != "" {
			if e := d.await("msg=config error", "by=signal HUP"); !strings.Contains(e["err"], want) {
				t.Errorf("%s: the log says %q, want %q in it", m.name, e["err"], want)
			}
		}
		d.await("msg=reload refused", "by=signal HUP")
	}
	if err := os.Remove(d.path("hupwatch.toml")); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP)
	d.await("msg=reload refused", "by=signal HUP")
	d.name("web\n")
	d.await("msg=reload refused", "by=signal USR2")
	if !alive(web) || !alive(other) || len(d.all("msg=generation started")) != 2 {
		t.Errorf("something was changed")
	}
	d.configure(quick + service("web", "serve"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "promoted=1", "stopped=1")
}

func TestHangupMakesTheFileComeTrue(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("changed", "serve")+service("removed", "serve")+service("before", "serve"))
	for _, name := range []string{"changed", "removed", "before"} {
		d.up(name, 1)
	}
	d.configure(quick + service("changed", "say changed; serve") + service("after", "serve") + service("added", "serve"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "promoted=1", "started=2", "stopped=2")
	d.says("changed", "changed", 2)
	d.up("after", 1)
	d.up("added", 1)
	d.sees("msg=service stopped", "service=removed")
	d.sees("msg=service stopped", "service=before")
	d.configure(quick + service("before", "serve"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "started=1", "stopped=3")
	d.up("before", 2)
	d.neverKilled()
}

func TestServiceThatComesBackWhileItDrainsIsStartedBesideIt(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("other", "serve")+service("web", "serve; gate g; exit 0"))
	d.up("other", 1)
	old := d.up("web", 1)
	d.configure(quick + service("other", "serve"))
	d.signal(syscall.SIGHUP)
	d.says("got TERM", "web", 1)
	d.configure(quick + service("other", "serve") + service("web", "serve"))
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	d.sees("msg=reload done", "reload=1", "aborted=1")
	d.sees("msg=reload done", "reload=2")
	if !alive(old) {
		t.Errorf("the old one did not finish its work")
	}
	d.open("g")
	d.sees("msg=generation exited", "service=web", "generation=1")
	d.signal(syscall.SIGHUP)
	d.up("web", 3)
	if n := len(d.all("msg=stop signal sent", "service=web", "generation=1")); n != 1 {
		t.Errorf("it was told to stop %d times", n)
	}
}

func TestServiceWithoutAutostartStaysDown(t *testing.T) {
	t.Parallel()
	config := quick + service("web", "serve") + service("down", "serve", "autostart = false")
	d := startDaemon(t, config)
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=1", "promoted=1", "skipped=1")
	d.configure(config + service("added", "serve", "autostart = false"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=2", "promoted=1", "skipped=2")
	if n := len(d.all("msg=generation started", "service=down")) + len(d.all("msg=generation started", "service=added")); n != 0 {
		t.Errorf("what is wanted down was started")
	}
	d.ends(syscall.SIGTERM, soon)
}

func TestIncludedFilesAreReadAtHangup(t *testing.T) {
	t.Parallel()
	config := "include = [\"more/*.toml\"]\n[daemon]\nruntime_dir = \"run\"\nstate_dir = \"state\"\n" + quick + service("web", "serve")
	d := newDaemon(t, t.TempDir())
	if err := os.Mkdir(d.path("more"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("hupwatch.toml", config)
	d.start()
	d.up("web", 1)
	d.write("more/one.toml", service("one", "serve"))
	d.signal(syscall.SIGHUP)
	d.up("one", 1) // with the defaults of the main file
	d.sees("msg=reload done", "reload=1", "promoted=1", "started=1")
	d.write("more/two.toml", "[services.one]\ncommand = [\"x\"]\n")
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload refused")
	if e := d.sees("msg=config error"); !strings.Contains(e["err"], "two.toml:1") {
		t.Errorf("the log says %q", e["err"])
	}
	for _, file := range []string{"more/one.toml", "more/two.toml"} {
		if err := os.Remove(d.path(file)); err != nil {
			t.Fatal(err)
		}
	}
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=2", "promoted=1", "stopped=1")
}

func TestDaemonKeysApplyAtHangup(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "ignore TERM; say deaf; hang", `stop_timeout = "infinity"`))
	d.says("deaf", "web", 1)
	d.promoted("web", 1)
	d.write("hupwatch.toml", "[daemon]\nruntime_dir = \"elsewhere\"\nstate_dir = \"other\"\nname_file = \"names\"\nshutdown_timeout = \"100ms\"\nlog_format = \"json\"\n"+
		quick+service("web", "ignore TERM; say deaf; hang", `stop_timeout = "infinity"`))
	d.signal(syscall.SIGHUP)
	d.says("deaf", "web", 2)
	if err := os.WriteFile(d.path("names"), []byte("web\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGUSR2)
	d.says("deaf", "web", 3)
	d.ends(syscall.SIGTERM, soon)
	if !strings.Contains(d.log.text(), `"msg":"stopping all services"`) {
		t.Errorf("log_format was not applied:\n%s", d.log.text())
	}
	for key, dir := range map[string]string{"runtime_dir": "elsewhere", "state_dir": "other"} {
		if !strings.Contains(d.log.text(), key+" cannot be changed") {
			t.Errorf("nothing was said of %s", key)
		}
		if _, err := os.Stat(d.path(dir)); err == nil {
			t.Errorf("another %s was made", key)
		}
	}
}

// A directory of includes that a broken deploy left empty stopped every service, and the
// reload was done.
func TestHangupDoesNotStopTheHostBecauseFilesAreGone(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	if err := os.Mkdir(d.path("more"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("hupwatch.toml", "include = [\"more/*.toml\"]\n[daemon]\nruntime_dir = \"run\"\nstate_dir = \"state\"\n"+quick)
	for _, name := range []string{"web", "api", "worker"} {
		d.write("more/"+name+".toml", service(name, "serve"))
	}
	d.start()
	for _, name := range []string{"web", "api", "worker"} {
		d.up(name, 1)
	}
	for _, name := range []string{"web", "api"} {
		if err := os.Remove(d.path("more/" + name + ".toml")); err != nil {
			t.Fatal(err)
		}
	}
	d.signal(syscall.SIGHUP)
	wants(t, d.sees("msg=reload refused", "by=signal HUP")["err"], "stop 2 of 3 services (api, web)", "more/api.toml", "hupwatch reload --prune")
	wants(t, d.asks(exitUsage, "plan").stdout.String(), "--prune")
	wants(t, d.asks(exitUsage, "reload").stderr.String(), "--prune")
	wants(t, d.asks(exitDone, "status").stdout.String(), "--prune")
	d.asks(exitDone, "reload", "worker")
	d.asks(exitUsage, "reload", "worker", "--prune")
	if n := len(d.all("msg=service stopped")); n != 0 {
		t.Fatalf("%d services were stopped", n)
	}
	d.asks(exitDone, "reload", "--prune")
	d.sees("msg=service stopped", "service=web")
	d.sees("msg=service stopped", "service=api")
	d.asks(exitDone, "status")
}
