package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

func TestSecondHupwatchOnTheSameRuntimeDirIsRefused(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	pid := d.up("web", 1)
	out, code := output(hupwatch("-c", d.path("hupwatch.toml")))
	if want := fmt.Sprintf("another hupwatch (pid %d)", d.cmd.Process.Pid); code != exitOther || !strings.Contains(out, want) {
		t.Errorf("exit code %d, want %d with %q:\n%s", code, exitOther, want, out)
	}
	d.signal(syscall.SIGHUP) // the first one does not mind
	d.up("web", 2)
	d.sees("msg=generation exited", "generation=1")
	if alive(pid) {
		t.Errorf("generation 1 is alive")
	}
	if text, err := os.ReadFile(d.path("run", "pid")); err != nil || strings.TrimSpace(string(text)) != fmt.Sprint(d.cmd.Process.Pid) {
		t.Errorf("the pid file says %q, %v", text, err)
	}
}

// crash ends hupwatch as no signal it could answer would, and returns the
// processes it leaves behind. They are killed when the test ends.
func (d *daemon) crash() []int {
	d.t.Helper()
	left := d.marked()
	for _, pid := range left {
		d.t.Cleanup(func() { kill(d.t, pid) })
	}
	d.signal(syscall.SIGKILL)
	if code := d.wait(); code != 128+int(syscall.SIGKILL) {
		d.t.Fatalf("exit code %d", code)
	}
	return left
}

// kill kills a process that is no child of the test, and waits until it is gone.
func kill(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); errors.Is(err, unix.ESRCH) {
		return
	}
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if n, err := unix.Poll(ready, int(patience.Milliseconds())); n == 1 || !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// quiet is a service that outlives hupwatch without holding on to its log: what
// it says goes to the file said.
func quiet(d *daemon, name, script string, keys ...string) string {
	keys = append(keys, `output = "null"`, fmt.Sprintf("environment = { %s = %q }", sayTo, d.path("said")))
	return service(name, script, keys...)
}

// said reads what quiet services say, as if it were the log.
func (d *daemon) said() *daemon {
	d.t.Helper()
	if err := makeGate(d.path("said")); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.OpenFile(d.path("said"), os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	said := &daemon{t: d.t, log: newEventLog()}
	go said.log.read(f) // ends when the test does
	d.t.Cleanup(func() { f.Close() })
	return said
}

// refused starts hupwatch and expects it to name what still runs.
func (d *daemon) refused(pids ...int) string {
	d.t.Helper()
	out, code := output(hupwatch("-c", d.path("hupwatch.toml")))
	if code != exitOther {
		d.t.Errorf("exit code %d, want %d", code, exitOther)
	}
	for _, pid := range pids {
		if !strings.Contains(out, fmt.Sprintf("(pid %d)", pid)) {
			d.t.Errorf("process %d is not named in:\n%s", pid, out)
		}
	}
	_, remedy, _ := strings.Cut(out, "hupwatch again: ")
	return strings.TrimSpace(remedy)
}

// again starts another hupwatch in the place of one that has ended.
func (d *daemon) again() *daemon {
	d.t.Helper()
	next := newDaemon(d.t, d.dir)
	next.start()
	return next
}

func TestHupwatchDoesNotStartBesideWhatItsPredecessorLeft(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + quiet(d, "web", "serve; gate g; exit 0") + quiet(d, "other", "serve")) // nobody opens g
	d.start()
	old, other := said.serving("web", 1), said.serving("other", 1)
	d.promoted("web", 1)
	d.name("web\n")
	said.says("got TERM", "web", 1) // it drains
	active := said.serving("web", 2)
	d.sees("msg=reload done")
	d.crash()
	for _, pid := range []int{old, other, active} {
		if !alive(pid) {
			t.Errorf("process %d did not survive", pid)
		}
	}
	remedy := d.refused(old, other, active)
	if fields := strings.Fields(remedy); len(fields) != 4 || fields[0] != "kill" {
		t.Errorf("the remedy is %q", remedy)
	}
	d.refused(old, other, active) // as often as one tries
	kill(t, old)
	d.refused(other, active)
	kill(t, active)
	kill(t, other)
	next := d.again()
	next.promoted("web", 1)
	next.promoted("other", 1)
	next.signal(syscall.SIGINT)
	next.sees("msg=stop signal sent", "service=web")
	next.ends(syscall.SIGINT, soon)
}

func TestStartThatWasCutShortIsFoundByItsMark(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + quiet(d, "web", "serve"))
	d.start()
	pid := said.serving("web", 1)
	d.promoted("web", 1)
	d.crash()
	d.forgetProcesses("web")
	d.refused(pid)
	kill(t, pid)
	next := d.again()
	next.promoted("web", 1)
}

// forgetProcesses makes the record of a service that of a hupwatch that was
// killed before it knew the process.
func (d *daemon) forgetProcesses(name string) {
	d.t.Helper()
	path := d.path("run", "state", name+".json")
	text, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(text, &record); err != nil {
		d.t.Fatal(err)
	}
	generations, _ := record["generations"].([]any)
	for _, g := range generations {
		if _, ok := g.(map[string]any)["process"]; !ok {
			d.t.Fatalf("no process in %s", text)
		}
		g.(map[string]any)["process"] = map[string]any{}
	}
	if len(generations) == 0 {
		d.t.Fatalf("no generations in %s", text)
	}
	if text, err = json.Marshal(record); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func TestMemberOfAGroupWithoutLeaderIsFound(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + quiet(d, "web", "child say child, hang; serve"))
	d.start()
	child, leader := said.says("child", "web", 1), said.serving("web", 1)
	d.promoted("web", 1)
	d.crash()
	kill(t, leader)
	d.refused(child)
	kill(t, child)
	next := d.again()
	next.promoted("web", 1)
}

func TestStaleRecordsAreNoObstacle(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + quiet(d, "web", "serve"))
	d.start()
	pid := said.serving("web", 1)
	d.promoted("web", 1)
	d.crash()
	kill(t, pid)
	next := d.again()
	next.promoted("web", 1)
	next.ends(syscall.SIGTERM, soon)
	if left, _ := filepath.Glob(d.path("run", "state", "*.json")); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
	if _, err := os.Stat(d.path("run", "pid")); err == nil {
		t.Errorf("the pid file is left")
	}
}

func TestBrokenRecordIsRefusedWithARemedy(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.configure(quick + service("web", "serve"))
	if err := os.MkdirAll(d.path("run", "state"), 0o711); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"web.json": "{", "mark": "MARK " + process.BootID() + "\n"} {
		if err := os.WriteFile(d.path("run", "state", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, code := output(hupwatch("-c", d.path("hupwatch.toml")))
	if code != exitOther || !strings.Contains(out, "web.json") || !strings.Contains(out, "remove the file") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestStoppedServiceLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "child say child, serve; serve"))
	d.says("child", "web", 1)
	d.up("web", 1)
	d.ends(syscall.SIGTERM, soon)
	if left, _ := filepath.Glob(d.path("run", "state", "*.json")); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}
