package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// startPID1 starts hupwatch as PID 1 of a namespace. The log has the numbers that
// processes have in there.
func startPID1(t *testing.T, config string) *daemon {
	t.Helper()
	d := newDaemon(t, t.TempDir())
	d.configure(config)
	container{PID1: true}.contain(t, d.cmd)
	d.start()
	return d
}

// inside lists the processes of the container, as the hupwatch in it sees them:
// the state letter of each, by its number there.
func (d *daemon) inside() map[int]byte {
	stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/root/proc/[0-9]*/stat", d.cmd.Process.Pid))
	found := make(map[int]byte)
	for _, path := range stats {
		text, err := os.ReadFile(path)
		var pid int
		if _, scan := fmt.Sscan(string(text), &pid); err != nil || scan != nil {
			continue
		}
		found[pid] = text[bytes.LastIndexByte(text, ')')+2]
	}
	return found
}

func TestAsPID1HupwatchStartsReloadsAndStops(t *testing.T) {
	t.Parallel()
	d := startPID1(t, quick+service("web", "serve", `stop_timeout = "10s"`))
	if pid := d.sees("msg=hupwatch started").pid(t); pid != 1 {
		t.Fatalf("hupwatch is process %d", pid)
	}
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "promoted=1")
	d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	d.up("web", 2)
	d.name("web\n")
	d.up("web", 3)
	d.sees("msg=generation exited", "generation=2", "exit=exited with status 0")
	d.ends(syscall.SIGTERM, soon)
	d.says("got TERM", "web", 3)
	d.neverKilled()
	if advice := d.all("msg=advice"); len(advice) > 0 {
		t.Errorf("needless advice: %v", advice)
	}
}

func TestAsPID1EverySignalToEndEndsIt(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			d := startPID1(t, quick+service("web", "serve"))
			d.up("web", 1)
			d.ends(sig, soon)
		})
	}
}

func TestAsPID1ACrashedServiceIsStartedAgain(t *testing.T) {
	t.Parallel()
	d := startPID1(t, quick+
		service("code", "say serving; gate code${HUPWATCH_GENERATION}; exit 8")+
		service("signal", "say serving; gate signal${HUPWATCH_GENERATION}; die KILL"))
	for name, end := range map[string]string{"code": "exited with status 8", "signal": "killed by signal KILL"} {
		d.up(name, 1)
		d.open(name + "1")
		d.sees("msg=generation ended", "service="+name, "generation=1", "exit="+end)
		d.up(name, 2)
	}
	d.ends(syscall.SIGTERM, soon)
}

// TestAsPID1AThousandOrphansAreReapedAndNoStatusIsWrong has them end at the same
// time as services do.
func TestAsPID1AThousandOrphansAreReapedAndNoStatusIsWrong(t *testing.T) {
	t.Parallel()
	const orphans, services = 1000, 10
	config := quick + fmt.Sprintf(`
[services.nursery]
command = ["sh", "-c", 'i=0; while [ $$i -lt %d ]; do (read line <go) & i=$$((i+1)); done; echo said=born >&2; read line <hold']
`, orphans)
	for i := range services {
		config += service(fmt.Sprint("s", i), fmt.Sprintf("serve; gate end; exit %d", 40+i), `stop_timeout = "1h"`)
	}
	d := newDaemon(t, t.TempDir())
	for _, gate := range []string{"go", "hold"} {
		if err := makeGate(d.path(gate)); err != nil {
			t.Fatal(err)
		}
	}
	d.configure(config)
	container{PID1: true}.contain(t, d.cmd)
	d.start()
	d.sees("said=born")
	nursery := d.promoted("nursery", 1)
	for i := range services {
		d.up(fmt.Sprint("s", i), 1)
	}

	d.configure(quick + service("other", "serve"))
	d.signal(syscall.SIGHUP) // the nursery ends of its TERM, and leaves orphans
	d.sees("msg=main process gone", "service=nursery")
	for i := range services {
		d.says("got TERM", fmt.Sprint("s", i), 1)
		d.open("end")
	}
	d.sees("msg=generation exited", "service=nursery", fmt.Sprint("pid=", nursery), "exit=killed by signal TERM")
	for i := range services {
		d.sees("msg=generation exited", fmt.Sprint("service=s", i), fmt.Sprintf("exit=exited with status %d", 40+i))
	}
	d.up("other", 1)
	eventually(t, "only hupwatch and its service are left", func() bool { return len(d.inside()) == 2 })
	d.ends(syscall.SIGTERM, soon)
	d.neverKilled()
}

// TestAsPID1StrangersDoNothing has processes enter the container
// from outside and end there, as docker exec does.
func TestAsPID1StrangersDoNothing(t *testing.T) {
	t.Parallel()
	enter, err := exec.LookPath("nsenter")
	if err != nil {
		t.Skip(err)
	}
	d := startPID1(t, quick+service("web", "serve"))
	d.up("web", 1)
	// The inner shell is an orphan at once; whoever gets it reaps it.
	out, err := exec.Command(enter, "-t", fmt.Sprint(d.cmd.Process.Pid), "-p", "-m", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do (exit $i) & done; sh -c 'exit 3' & exit 5").CombinedOutput()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 5 {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, "only hupwatch and its service are left", func() bool { return len(d.inside()) == 2 })
	if n := len(d.all("msg=generation ended")); n != 0 {
		t.Errorf("a service ended")
	}
	d.ends(syscall.SIGTERM, soon)
}

func TestAsPID1AStopThatDockerWouldCutIsWarnedOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, daemon string
		keys         []string
		warned       bool
	}{
		{"stop_timeout above ten seconds", "", []string{`stop_timeout = "11s"`}, true},
		{"stop_timeout of ten seconds", "", []string{`stop_timeout = "10s"`}, false},
		{"shutdown_timeout of nine seconds", "shutdown_timeout = \"9s\"\n", []string{`stop_timeout = "infinity"`}, false},
		{"no bound", "", []string{`stop_timeout = "infinity"`}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := startPID1(t, c.daemon+quick+service("web", "serve", c.keys...))
			d.up("web", 1)
			advice := d.all("msg=advice", "level=warn")
			if warned := len(advice) == 1 && strings.Contains(advice[0]["reason"], "--stop-timeout"); warned != c.warned {
				t.Errorf("the advice is %v, want it: %v", advice, c.warned)
			}
		})
	}
}

func TestAsPID1EverythingHasEndedWithinShutdownTimeout(t *testing.T) {
	t.Parallel()
	config := "shutdown_timeout = \"5s\"\n" + quick
	for i := range 5 {
		config += service(fmt.Sprint("deaf", i), "child ignore TERM, say child, hang; ignore TERM; say deaf; hang", `stop_timeout = "infinity"`)
	}
	d := startPID1(t, config+service("web", "serve"))
	for i := range 5 {
		d.says("child", fmt.Sprint("deaf", i), 1)
		d.says("deaf", fmt.Sprint("deaf", i), 1)
	}
	d.up("web", 1)
	d.ends(syscall.SIGTERM, soon)
	d.says("got TERM", "web", 1)
	if n := len(d.all("msg=generation killed")); n != 5 {
		t.Errorf("%d were killed, want 5", n)
	}
}

func TestAsPID1TheOneServiceIsStoppedByTerm(t *testing.T) {
	t.Parallel()
	d := newOne(t, brisk...)
	d.deploy("serve")
	container{PID1: true}.contain(t, d.cmd)
	d.start()
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	d.ends(syscall.SIGTERM, soon)
	d.says("got TERM", "web", 2)
	d.neverKilled()
}

func TestAsPID1TheEndOfTheOneServiceIsThatOfHupwatch(t *testing.T) {
	t.Parallel()
	for ending, want := range map[string]int{"exit 0": 0, "exit 1": 1, "exit 2": 2, "exit 127": 127, "exit 255": 255, "die TERM": 128 + 15, "die KILL": 128 + 9} {
		t.Run(ending, func(t *testing.T) {
			t.Parallel()
			d := newOne(t, "-w", "0")
			d.deploy(ending)
			container{PID1: true}.contain(t, d.cmd)
			d.start()
			d.ended(want)
		})
	}
}

// startWatched starts hupwatch and returns as soon as its program is executed.
func (d *daemon) startWatched() {
	d.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Close()
	d.cmd.ExtraFiles = []*os.File{w}
	d.start()
	w.Close()
	_, _ = r.Read(make([]byte, 1)) // ends with the exec
}

// catches reports whether a process has a handler for the signal.
func catches(pid int, sig syscall.Signal) bool {
	return signalSet(pid, "SigCgt")&(1<<(sig-1)) != 0
}

// signalSet is a set of signals in the status of a process.
func signalSet(pid int, name string) uint64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, value, _ := strings.Cut(string(text), "\n"+name+":")
	value, _, _ = strings.Cut(value, "\n")
	set, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
	return set
}

// TestTermAsEarlyAsCanBeEndsHupwatch sends it right after the exec or, as PID 1,
// as soon as there is a handler: until then the kernel keeps it from PID 1. That
// handler is the Go runtime's own at first, which ends with status 2 there.
func TestTermAsEarlyAsCanBeEndsHupwatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		pid1  bool
		early int // the exit code where it came before hupwatch's own handler
	}{
		{"as PID 1", true, 2},
		{"not as PID 1", false, 128 + int(syscall.SIGTERM)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			codes := make(map[int]int)
			for range 25 {
				d := newDaemon(t, t.TempDir())
				d.configure(quick + service("web", "serve"))
				container{PID1: c.pid1}.contain(t, d.cmd)
				d.startWatched()
				for c.pid1 && !catches(d.cmd.Process.Pid, syscall.SIGTERM) {
					runtime.Gosched()
				}
				d.signal(syscall.SIGTERM)
				code := d.wait()
				codes[code]++
				switch {
				case code == exitDone:
				case code != c.early:
					t.Fatalf("exit code %d", code)
				}
			}
			t.Logf("exit codes: %v", codes)
		})
	}
}
