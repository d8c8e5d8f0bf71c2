package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// everySignal are those that can be ignored and mean something to hupwatch or to
// its services.
var everySignal = []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE, syscall.SIGCHLD, syscall.SIGTERM}

func TestServicesStartWithCleanSignalsWhateverHupwatchWasStartedWith(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	if err := makeGate(d.path("hold")); err != nil {
		t.Fatal(err)
	}
	// Not Go programs: those would change it.
	d.configure(quick + `
[services.direct]
command = ["cat", "hold"]
[services.stub]
command = ["cat", "hold"]
umask = "022"
`)
	container{Blocked: true, Ignored: everySignal}.contain(t, d.cmd)
	d.start()
	clean := func(generation int) {
		for _, name := range []string{"direct", "stub"} {
			pid := d.promoted(name, generation)
			for _, set := range []string{"SigBlk", "SigIgn"} {
				if got := signalSet(pid, set); got != 0 {
					t.Errorf("%s of %s: %#x", set, name, got)
				}
			}
		}
	}
	clean(1)
	if got := signalSet(d.cmd.Process.Pid, "SigBlk"); got != 0 {
		t.Errorf("hupwatch blocks %#x", got)
	}
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "promoted=2")
	clean(2)
	d.sees("msg=generation exited", "service=stub", "generation=1")
	d.sees("msg=generation exited", "service=direct", "generation=1")
	d.ends(syscall.SIGTERM, soon)
	d.neverKilled()
}

// TestAnExecThatHangsKeepsTheOldOne has the kernel hold it back by a lease on the
// file, as a file server that is gone would.
func TestAnExecThatHangsKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.deploy("serve")
	config := func(more string) {
		d.configure(quick + "[services.web]\ncommand = [\"./web\"]\numask = \"022\"\n" + more)
	}
	config("")
	d.start()
	pid := d.up("web", 1)
	f, err := os.OpenFile(d.path("web"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no leases here: %v", err)
	}
	config("start_timeout = \"3s\"\n" + service("other", "serve"))
	d.signal(syscall.SIGHUP)
	d.up("other", 1) // nobody else is held up
	d.sees("msg=reload ended", "service=web", "result=kept_old", "err=its command did not begin within start_timeout (3s)")
	if !alive(pid) {
		t.Errorf("the old one is gone")
	}
	began := time.Now()
	for range stormy {
		d.signal(syscall.SIGHUP) // each waits for the one before
	}
	most := mostReloads(time.Since(began), 3*time.Second)
	f.Close()
	d.sees("msg=reload ended", "service=web", "result=promoted")
	d.says("got TERM", "web", 1)
	d.ends(syscall.SIGTERM, soon)
	if n := len(d.all("msg=reload begun", "service=web")); n > 1+most {
		t.Errorf("%d reloads, want at most %d", n, 1+most)
	}
}

// mostReloads is how many a storm of HUPs may make that lasts so long, where each
// takes at least so much: one after the other, the one it came into, and the one
// that covers the rest.
func mostReloads(storm, each time.Duration) int { return int(storm/each) + 2 }

func TestAStoppedProcessOnTrialHoldsUpNoReload(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", `warmup = "1s"`))
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	pid := d.serving("web", 2)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	d.sees("msg=reload done", "promoted=1")
	d.says("got TERM", "web", 1)
	d.ends(syscall.SIGTERM, soon)
	d.says("got TERM", "web", 2)
	d.neverKilled()
}

// TestWhoLeavesTheGroupIsLeftAlone has a process make itself a session of its own
// and hold on to the output: it belongs to nobody, and nobody waits for it.
func TestWhoLeavesTheGroupIsLeftAlone(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.configure(quick + fmt.Sprintf("[services.web]\ncommand = ['sh', '-c', 'setsid \"$$0\" \"say escaped; hang\" & exec \"$$0\" serve', '%s']\n", player()))
	said := d.leaving()
	d.start()
	said.says("escaped", "web", 1)
	said.serving("web", 1)
	said.promoted("web", 1)
	d.configure(quick + service("web", "serve"))
	d.signal(syscall.SIGHUP)
	said.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	said.serving("web", 2)
	d.signal(syscall.SIGTERM)
	<-d.exited
	for _, e := range said.all("said=escaped") {
		if !alive(e.pid(t)) {
			t.Errorf("the escapee is gone")
		}
		kill(t, e.pid(t))
	}
	d.ended(exitDone)
	if killed := said.all("msg=generation killed"); len(killed) > 0 {
		t.Errorf("%v", killed)
	}
}

// hangups asks for one reload and waits for its end, whatever that is. It was
// done so many times before.
func (d *daemon) hangups(before int) {
	d.t.Helper()
	d.signal(syscall.SIGHUP)
	eventually(d.t, "the reload ends", func() bool {
		return len(d.all("msg=reload done"))+len(d.all("msg=reload refused")) > before
	})
}

// limit sets a resource limit of hupwatch, and only of it.
func (d *daemon) limit(resource int, soft uint64) {
	d.t.Helper()
	var l unix.Rlimit
	if err := unix.Prlimit(d.cmd.Process.Pid, resource, nil, &l); err != nil {
		d.t.Fatal(err)
	}
	l.Cur = soft
	if err := unix.Prlimit(d.cmd.Process.Pid, resource, &l, nil); err != nil {
		d.t.Fatal(err)
	}
}

// faulty reports whether the reason was logged as an error.
func (d *daemon) faulty(reason string) bool {
	for _, e := range d.all("level=error") {
		if strings.Contains(e["err"], reason) {
			return true
		}
	}
	return false
}

// serves reports whether a process of the service that was promoted lives.
func (d *daemon) serves(name string) bool {
	for _, e := range d.all("msg=generation promoted", "service="+name) {
		if alive(e.pid(d.t)) {
			return true
		}
	}
	return false
}

// TestWithoutDescriptorsTheOldOneServesOn leaves hupwatch none, then one more
// each time, so that every step of a reload fails once.
func TestWithoutDescriptorsTheOldOneServesOn(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", `umask = "022"`, `listen = ["unix:s"]`, `ready = "warmup"`))
	d.up("web", 1)
	const steps = 8
	for n := range steps {
		open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", d.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		d.limit(unix.RLIMIT_NOFILE, uint64(len(open)+n))
		d.hangups(n)
		if !d.serves("web") {
			t.Fatalf("nothing serves")
		}
	}
	if !d.faulty("too many open files") {
		t.Errorf("the reason is not logged")
	}
	d.limit(unix.RLIMIT_NOFILE, 1024)
	d.hangups(steps)
	if done := d.all("msg=reload done"); done[len(done)-1]["promoted"] != "1" {
		t.Errorf("the last reload: %v", done[len(done)-1])
	}
	d.ends(syscall.SIGTERM, soon)
}

// TestWithoutProcessesTheOldOneServesOn has others of the same user take all that
// the user may have.
func TestWithoutProcessesTheOldOneServesOn(t *testing.T) {
	t.Parallel()
	const most = 64
	uid := 100_000 + rand.IntN(1<<30)
	d := newDaemonOf(t, uid)
	if err := makeGate(d.path("hold")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.path("hold"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.configure(quick + "[services.web]\ncommand = [\"cat\", \"hold\"]\n")
	container{UID: uid, Processes: most, Program: d.path("program")}.contain(t, d.cmd)
	d.start()
	d.promoted("web", 1)
	d.hangups(0)
	d.promoted("web", 2)

	var others []*exec.Cmd
	stop := func() {
		for _, cmd := range others {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		others = nil
	}
	t.Cleanup(stop)
	for range most {
		cmd := exec.Command("cat", d.path("hold"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		others = append(others, cmd)
	}
	d.hangups(1)
	if !d.serves("web") || !d.faulty("resource temporarily unavailable") {
		t.Errorf("nothing serves, or the reason is not logged")
	}
	stop()
	d.hangups(2)
	if done := d.all("msg=reload done"); done[len(done)-1]["promoted"] != "1" {
		t.Errorf("the last reload: %v", done[len(done)-1])
	}
	d.ends(syscall.SIGTERM, soon)
}

// newDaemonOf is one that the user can execute and write for. The directory has
// the program too, since that of the tests is in a directory of root's.
func newDaemonOf(t *testing.T, uid int) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "hupwatch") //nolint:usetesting // TempDir is below a directory of root's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := os.ReadFile(self())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "program"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, uid, uid)); err != nil {
		t.Skip(err)
	}
	return newDaemon(t, dir)
}

// fill takes every page of the file system that the file is in.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for page := make([]byte, 4096); err == nil; {
		_, err = f.Write(page)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

func TestWithAFullRuntimeDirServicesRunOn(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	if err := os.Mkdir(d.path("run"), 0o711); err != nil {
		t.Fatal(err)
	}
	d.configure(quick + service("web", "serve"))
	container{Tmpfs: map[string]string{d.path("run"): "64k"}}.contain(t, d.cmd)
	d.start()
	d.up("web", 1)
	full := fmt.Sprintf("/proc/%d/root%s", d.cmd.Process.Pid, d.path("run", "full"))
	fill(t, full)
	d.configure(quick + service("web", "serve") + service("one", "serve") + service("two", "serve")) // records of their own
	d.hangups(0)
	for _, name := range []string{"web", "one", "two"} {
		if !d.serves(name) {
			t.Errorf("%s does not serve", name)
		}
	}
	if !d.faulty("no space left on device") {
		t.Errorf("the reason is not logged")
	}
	// Kept old, unless there was still room for its record: what cannot be written
	// down is not started where something serves.
	d.sees("msg=reload ended", "service=web")
	if n := len(d.all("msg=trouble", "service=web")); n > 1 {
		t.Errorf("the same trouble is logged %d times", n)
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	d.hangups(1) // what was written before there was space may be told meanwhile
	trouble := len(d.all("msg=trouble"))
	d.hangups(2)
	if done := d.all("msg=reload done"); done[len(done)-1]["promoted"] != "3" {
		t.Errorf("the last reload: %v", done[len(done)-1])
	}
	d.ends(syscall.SIGTERM, soon)
	if n := len(d.all("msg=trouble")); n > trouble {
		t.Errorf("trouble once there was space again: %v", d.all("msg=trouble")[trouble:])
	}
}

func TestAThousandHangupsToTheOneServiceAreAFewReloads(t *testing.T) {
	t.Parallel()
	for _, pid1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("as PID 1: %v", pid1), func(t *testing.T) {
			t.Parallel()
			d := newOne(t, "-v", "-w", "0.25")
			d.deploy("serve")
			if pid1 {
				container{PID1: true}.contain(t, d.cmd)
			}
			d.start()
			d.up("web", 1)
			began := time.Now()
			for range 1000 {
				d.signal(syscall.SIGHUP)
			}
			d.deploy("say settled; serve")
			d.signal(syscall.SIGHUP)
			most := mostReloads(time.Since(began), 250*time.Millisecond)
			d.sees("said=settled")
			d.ends(syscall.SIGINT, soon)
			if n := len(d.all("msg=generation started")); n > 1+most {
				t.Errorf("%d generations, want at most %d", n, 1+most)
			}
		})
	}
}

// TestInAFullPidsCgroupHupwatchGoesOn: the runtime needed one more thread, got none,
// and that was the end of hupwatch.
func TestInAFullPidsCgroupHupwatchGoesOn(t *testing.T) {
	t.Parallel()
	group := pidsCgroup(t)
	limit := func(most string) {
		if err := os.WriteFile(filepath.Join(group, "pids.max"), []byte(most), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var services strings.Builder
	for i := range 20 {
		services.WriteString(service(fmt.Sprintf("w%d", i), "serve"))
	}
	d := startDaemon(t, quick+services.String())
	for i := range 20 {
		d.up(fmt.Sprintf("w%d", i), 1)
	}
	pid := strconv.Itoa(d.cmd.Process.Pid)
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(pid), 0o644); err != nil {
		t.Fatal(err)
	}
	limit("1")
	client := d.client()
	for n := range 3 {
		var crowd sync.WaitGroup
		for range 100 {
			crowd.Go(func() { _, _ = client.Status(t.Context(), true) })
		}
		d.hangups(n)
		crowd.Wait()
	}
	if !d.serves("w7") || !d.faulty("resource temporarily unavailable") {
		t.Errorf("nothing serves, or the reason is not logged")
	}
	limit("max")
	d.hangups(3)
	if done := d.all("msg=reload done"); done[len(done)-1]["promoted"] != "20" {
		t.Errorf("the last reload: %v", done[len(done)-1])
	}
	d.ends(syscall.SIGTERM, soon)
}

// pidsCgroup makes a cgroup that limits processes, for this test alone.
func pidsCgroup(t *testing.T) string {
	t.Helper()
	for _, mount := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
		dir, err := os.MkdirTemp(mount, "hupwatch-test-") //nolint:usetesting // a cgroup, and no directory of files
		if err != nil {
			continue
		}
		t.Cleanup(func() { // once all that were in it have ended
			eventually(t, "the cgroup is removed", func() bool { return os.Remove(dir) == nil })
		})
		if _, err := os.Stat(filepath.Join(dir, "pids.max")); err == nil {
			return dir
		}
	}
	t.Skip("no cgroup of pids can be made here")
	return ""
}
