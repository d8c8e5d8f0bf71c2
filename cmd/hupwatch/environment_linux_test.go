package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// idle is a service that leaves everything as it found it: the Go runtime would
// not.
func idle(name string, keys ...string) string {
	return fmt.Sprintf("[services.%s]\nwarmup = \"0s\"\ncommand = [\"sleep\", \"1000000\"]\n%s\n", name, strings.Join(keys, "\n"))
}

// proc reads a file about a process.
func proc(t *testing.T, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func environOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	env := make(map[string]string)
	for entry := range strings.SplitSeq(strings.TrimSuffix(proc(t, pid, "environ"), "\x00"), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := env[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		env[name] = value
	}
	return env
}

// status returns a line of /proc/PID/status.
func status(t *testing.T, pid int, key string) string {
	t.Helper()
	for line := range strings.Lines(proc(t, pid, "status")) {
		if name, value, _ := strings.Cut(line, ":"); name == key {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no %s in the status of %d", key, pid)
	return ""
}

func TestEnvironmentOfAGenerationHasItsLayersInOrder(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.write("first.env", "INHERITED=first\nFROM=first\nFIRST=1\nQUOTED=\"two words\"\nRAW=${OWN}\n")
	d.write("second.env", "FROM=second\nSECOND=2\n")
	if err := os.MkdirAll(d.path("releases", "7"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("releases/7", d.path("current")); err != nil {
		t.Fatal(err)
	}
	d.configure(idle("web",
		`working_dir = "current"`,
		`env_file = ["first.env", "second.env", "-absent.env"]`,
		`unset_environment = ["AWS_*", "SECRET"]`,
		fmt.Sprintf(`listen = ["tcp://127.0.0.1:%d", { address = "unix:web.sock", name = "second" }]`, freePort(t)),
		`ready = "warmup"`,
	) + `[services.web.environment]
FROM = "own"
OWN = "${SECOND}-${MISSING:-default}-${PATH}"
FIRST = "${FIRST}+"
MONEY = "$$5"
`)
	d.cmd.Env = append(d.cmd.Env, "INHERITED=yes", "OWN=hupwatch's", "AWS_KEY=1", "SECRET=1", "SECRETS=kept",
		"NOTIFY_SOCKET=/run/notify", "LISTEN_FDS=3", "LISTEN_PID=1", "LISTEN_PIDFDID=7", "LISTEN_FDNAMES=x", "WATCHDOG_USEC=1", "WATCHDOG_PID=1",
		"INVOCATION_ID=1", "MAINPID=1", "CREDENTIALS_DIRECTORY=/x", "HUPWATCH_GENERATION=99", "HUPWATCH_BIND=x", "HUPWATCH_OTHER=x")
	d.start()
	pid := d.promoted("web", 1)
	env := environOf(t, pid)
	for name, want := range map[string]string{
		"INHERITED": "first", "SECRETS": "kept", "SECOND": "2", "QUOTED": "two words", "RAW": "${OWN}",
		"FROM": "own", "FIRST": "1+", "MONEY": "$5", "OWN": "2-default-" + os.Getenv("PATH"),
		"PWD":              d.path("releases", "7"),
		"HUPWATCH_SERVICE": "web", "HUPWATCH_GENERATION": "1", "HUPWATCH_INSTANCE": "0",
		"LISTEN_FDS": "2", "LISTEN_PID": strconv.Itoa(pid), "LISTEN_FDNAMES": "web:second",
	} {
		if got, there := env[name]; got != want || !there {
			t.Errorf("%s is %q (there: %v), want %q", name, got, there, want)
		}
	}
	for _, name := range []string{
		"AWS_KEY", "SECRET", "NOTIFY_SOCKET", "LISTEN_PIDFDID", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "MAINPID",
		"CREDENTIALS_DIRECTORY", "HUPWATCH_BIND", "HUPWATCH_OTHER", "HUPWATCH_STUB", "HUPWATCH_SIGNALS", "HUPWATCH_NOHUP", asHupwatch, "GOMAXPROCS", "GOGC",
	} {
		if got, there := env[name]; there {
			t.Errorf("%s is %q, want it unset", name, got)
		}
	}
	if mark := env["HUPWATCH_MARK"]; !strings.HasSuffix(mark, "/web/1") {
		t.Errorf("HUPWATCH_MARK is %q", mark)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || cwd != d.path("releases", "7") {
		t.Errorf("it runs in %s, %v", cwd, err)
	}
	d.signal(syscall.SIGHUP)
	pid = d.promoted("web", 2)
	if env := environOf(t, pid); env["HUPWATCH_GENERATION"] != "2" || env["LISTEN_PID"] != strconv.Itoa(pid) {
		t.Errorf("the second one has generation %s and LISTEN_PID %s, its process is %d", env["HUPWATCH_GENERATION"], env["LISTEN_PID"], pid)
	}
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	var port int
	t.Run("free port", func(t *testing.T) { port = listenSomewhere(t) }) // closed when it returns
	return port
}

func TestGenerationWithoutSocketsHasNoneInItsEnvironment(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.configure(idle("web"))
	d.cmd.Env = append(d.cmd.Env, "LISTEN_FDS=3", "LISTEN_PID=1", "LISTEN_FDNAMES=x")
	d.start()
	env := environOf(t, d.promoted("web", 1))
	for _, name := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		if got, there := env[name]; there {
			t.Errorf("%s is %q, want it unset", name, got)
		}
	}
}

func TestGenerationRunsWhereHupwatchWasStartedAsTyped(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	for _, release := range []string{"one", "two"} {
		if err := os.Mkdir(d.path(release), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := d.path("current")
	if err := os.Symlink("one", link); err != nil {
		t.Fatal(err)
	}
	d.configure(idle("web"))
	d.cmd.Dir = link
	d.cmd.Env = append(d.cmd.Env, "PWD="+link)
	d.start()
	if env := environOf(t, d.promoted("web", 1)); env["PWD"] != d.path("one") {
		t.Errorf("PWD is %s", env["PWD"])
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("two", link); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP)
	pid := d.promoted("web", 2)
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || cwd != d.path("two") {
		t.Errorf("after the switch it runs in %s, %v", cwd, err)
	}
}

// The ways a process is started: as it is, and through the stub.
var ways = []struct{ name, key string }{{"direct", ""}, {"stub", `umask = "022"`}}

func TestGenerationStartsFromACleanState(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, t.TempDir())
			d.configure(idle("web", way.key))
			// hupwatch is started as badly as can be: signals ignored and blocked,
			// and descriptors left open.
			d.cmd = exec.Command(self(), "ignore HUP; ignore INT; ignore PIPE; block USR2; block TERM; block CHLD; become -c "+d.path("hupwatch.toml"))
			d.cmd.Env = append(os.Environ(), asService+"=1")
			d.cmd.Dir = d.dir
			extra, err := os.Open("/etc/passwd")
			if err != nil {
				t.Fatal(err)
			}
			defer extra.Close()
			d.cmd.ExtraFiles = []*os.File{extra, extra}
			d.start()
			pid := d.promoted("web", 1)

			for _, key := range []string{"SigBlk", "SigIgn", "SigCgt"} {
				if mask := status(t, pid, key); strings.Trim(mask, "0") != "" {
					t.Errorf("%s is %s, want none", key, mask)
				}
			}
			// sleep opens files of its own while it begins.
			eventually(t, "no more descriptors than 0, 1 and 2", func() bool {
				for fd, to := range descriptors(t, pid) {
					if fd > 2 {
						t.Logf("descriptor %d leads to %s", fd, to)
						return false
					}
				}
				return true
			})
			if stdin, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", pid)); err != nil || stdin != "/dev/null" {
				t.Errorf("stdin is %s, %v", stdin, err)
			}
			fields := strings.Fields(proc(t, pid, "stat")) // PID (sleep) S PPID PGRP SESSION TTY
			want := []string{strconv.Itoa(d.cmd.Process.Pid), strconv.Itoa(pid), strconv.Itoa(pid), "0"}
			if got := fields[3:7]; !slices.Equal(got, want) {
				t.Errorf("parent, group, session and terminal are %v, want %v", got, want)
			}

			d.signal(syscall.SIGHUP) // however it was started
			d.promoted("web", 2)
			d.name("web\n")
			d.promoted("web", 3)
			d.ends(syscall.SIGTERM, soon)
		})
	}
}

// descriptors are the open files of a process, but for those that its loader
// reads and closes.
func descriptors(t *testing.T, pid int) map[int]string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := make(map[int]string)
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil || strings.HasPrefix(to, "/usr/") || strings.Contains(to, ".so") {
			continue
		}
		fd, _ := strconv.Atoi(e.Name())
		open[fd] = to
	}
	return open
}

func TestGenerationHasTheLimitsOfTheFile(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may run services as somebody else")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	d := newDaemon(t, t.TempDir())
	d.configure(idle("web",
		`umask = "027"`, `limits = { nofile = 1234, core = "0:infinity" }`, "oom_score_adj = 321", `user = "nobody"`, `working_dir = "/"`,
	) + idle("group", `group = "nogroup"`) + idle("number", `user = "12345"`, `group = "54321"`, `working_dir = "/"`) + idle("plain"))
	d.start()
	pid := d.promoted("web", 1)
	if got := status(t, pid, "Umask"); got != "0027" {
		t.Errorf("umask is %s", got)
	}
	for _, want := range []string{"Max open files            1234                 1234", "Max core file size        0                    unlimited"} {
		if !strings.Contains(proc(t, pid, "limits"), want) {
			t.Errorf("limits are\n%s, want %q", proc(t, pid, "limits"), want)
		}
	}
	if got := strings.TrimSpace(proc(t, pid, "oom_score_adj")); got != "321" {
		t.Errorf("oom_score_adj is %s", got)
	}
	same := func(id string) string { return strings.Join([]string{id, id, id, id}, "\t") }
	if uid, gid := status(t, pid, "Uid"), status(t, pid, "Gid"); uid != same(nobody.Uid) || gid != same(nobody.Gid) {
		t.Errorf("it runs as %s, %s", uid, gid)
	}
	groups, err := nobody.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(groups)
	got := strings.Fields(status(t, pid, "Groups"))
	slices.Sort(got)
	if !slices.Equal(got, groups) {
		t.Errorf("supplementary groups are %v, want %v", got, groups)
	}
	env := environOf(t, pid)
	if env["HOME"] != nobody.HomeDir || env["USER"] != "nobody" || env["LOGNAME"] != "nobody" {
		t.Errorf("HOME, USER, LOGNAME are %q, %q, %q", env["HOME"], env["USER"], env["LOGNAME"])
	}

	number := d.promoted("number", 1)
	if uid, gid := status(t, number, "Uid"), status(t, number, "Gid"); uid != same("12345") || gid != same("54321") {
		t.Errorf("the one with numbers runs as %s, %s", uid, gid)
	}
	if got := status(t, number, "Groups"); got != "" {
		t.Errorf("the one with numbers has the supplementary groups %s", got)
	}
	plain := d.promoted("plain", 1)
	if got, want := status(t, plain, "Uid"), status(t, os.Getpid(), "Uid"); got != want {
		t.Errorf("the plain one runs as %s, want %s", got, want)
	}
	if group := d.promoted("group", 1); status(t, group, "Uid") != same("0") {
		t.Errorf("the one with a group runs as %s", status(t, group, "Uid"))
	}
}

func TestUserThatMayNotEnterTheDirectoryKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may run services as somebody else")
	}
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	closed := d.path("closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	d.configure(idle("web", `user = "nobody"`, `working_dir = "closed"`))
	d.signal(syscall.SIGHUP)
	ended := d.sees("msg=reload ended", "result=kept_old")
	for _, want := range []string{closed, "permission denied", "must be able to enter it"} {
		if !strings.Contains(ended["err"], want) {
			t.Errorf("the reason is %q, want %q in it", ended["err"], want)
		}
	}
}

func TestOutputNullSaysNothing(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "say never; serve", `output = "null"`)+service("other", "serve"))
	pid := d.promoted("web", 1)
	d.up("other", 1)
	for _, fd := range []string{"1", "2"} {
		if to, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "fd", fd)); err != nil || to != "/dev/null" {
			t.Errorf("descriptor %s is %s, %v", fd, to, err)
		}
	}
	d.ends(syscall.SIGTERM, soon)
	if len(d.all("said=never")) > 0 {
		t.Errorf("it was heard")
	}
}
