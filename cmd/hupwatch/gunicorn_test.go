package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/examples/load"
)

// webWorkers is enough for the slow requests of the load and the others.
const webWorkers = 6

// webService is one that serves a site.
func webService(address, warmup string) string {
	return fmt.Sprintf(`
[services.web]
command = ["gunicorn", "--workers", "%d", "wsgi:app"]
working_dir = "current"
listen = [%q]
warmup = %q
`, webWorkers, address, warmup)
}

// reloads is how many each gunicorn gets under load.
var reloads = flag.Int("reloads", 4, "how many reloads TestReloadsOfGunicornLoseNoRequest does, over TCP and a unix socket")

func TestReloadsOfGunicornLoseNoRequest(t *testing.T) {
	t.Parallel()
	t.Run("unix", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		path := s.path("s")
		reloadsUnderLoad(t, s, "unix", path)
	})
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		reloadsUnderLoad(t, newSite(t), "tcp", loopback())
	})
}

func reloadsUnderLoad(t *testing.T, s *site, network, address string) {
	s.deploy(1, goodApp)
	d := startDaemonIn(t, s.dir, webService(map[string]string{"unix": "unix:", "tcp": "tcp://"}[network]+address, "300ms"))
	old := d.await("msg=generation promoted", "generation=1").pid(t)
	s.awaitWorkers(d, webWorkers, 1)
	l := startLoad(t, network, address)
	l.awaitRelease(1)
	before, _ := os.Stat(address)

	stopped, drained := make(map[int]time.Time), make(map[int]time.Time)
	for release := 2; release <= 1+*reloads; release++ {
		s.deploy(release, goodApp)
		d.signal(syscall.SIGHUP)
		number := "generation=" + strconv.Itoa(release)
		pid := d.await("msg=generation promoted", number).pid(t)
		stop := d.await("msg=stop signal sent")
		if stop.pid(t) != old || pid == old {
			t.Fatalf("process %d was told to stop, want %d; the new one is %d", stop.pid(t), old, pid)
		}
		stopped[release] = at(t, stop)
		if end := d.await("msg=reload ended"); end["result"] != "promoted" {
			t.Fatalf("reload ended %v", end)
		}
		if exit := d.await("msg=generation exited"); exit.pid(t) != old || exit["exit"] != "exited with status 0" {
			t.Errorf("generation exited %v, want process %d with status 0", exit, old)
		}
		drained[release] = time.Now()
		l.awaitRelease(release)
		s.awaitWorkers(d, webWorkers, release)
		old = pid
	}

	result := l.stop()
	for release, end := range drained {
		for a := range result.After(end) {
			if a.Class == load.OK && releaseOf(a) < release {
				t.Errorf("%q answered a request that was begun %s after its release %d had drained", a.Body, a.Begun.Sub(end), release-1)
				break
			}
		}
	}
	inFlight := 0
	for _, stop := range stopped {
		inFlight += underWay(result, stop)
	}
	t.Logf("%d slow requests were under way at %d stop signals", inFlight, len(stopped))
	if inFlight < *reloads {
		t.Errorf("only %d slow requests were under way at %d stop signals: the load proves nothing", inFlight, *reloads)
	}
	if after, err := os.Stat(address); network == "unix" && (err != nil || !os.SameFile(before, after)) {
		t.Errorf("the socket is not the same file any more: %v", err)
	}
	wantCalm(t, d)
	d.awaitAll(*reloads, "msg=reload done", "promoted=1")
	d.signal(syscall.SIGTERM)
	if code := d.wait(); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
}

func TestABrokenReleaseOfGunicornIsKeptOutUntilAGoodOneComes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.deploy(1, goodApp)
	d := startDaemonIn(t, s.dir, webService("unix:s", "1s"))
	first := d.await("msg=generation promoted", "generation=1").pid(t)
	s.awaitWorkers(d, webWorkers, 1)
	l := startLoad(t, "unix", s.path("s"))

	// However busy the host, it ends in its warm-up, and as soon as it can.
	d.configure(webService("unix:s", "1h"))
	s.deploy(2, brokenApp)
	d.signal(syscall.SIGHUP)
	end := d.await("msg=reload ended", "result=kept_old")
	// 3 is what gunicorn means, 1 how it ends if a second worker fails meanwhile.
	if reason := end["err"]; !strings.HasPrefix(reason, "exited with status 3, ") && !strings.HasPrefix(reason, "exited with status 1, ") {
		t.Errorf("the reason is %q, want gunicorn's exit status in it", reason)
	}
	d.sees("msg=reload done", "kept_old=1", "not_reloaded=web")

	attempts := len(d.all("msg=generation started"))
	for range 5 {
		d.signal(syscall.SIGHUP)
	}
	d.await("msg=reload asked")
	awaitAnswers(d)
	if n := len(d.all("msg=generation started")) - attempts; n < 1 || n > 2 {
		t.Errorf("5 HUPs at once started %d generations, want one for those that came first and one for all the others", n)
	}
	for _, e := range d.all("msg=reload ended") {
		if e["result"] != "kept_old" {
			t.Errorf("reload ended %v, want kept_old", e)
		}
	}
	if !alive(first) {
		t.Errorf("process %d does not live any more", first)
	}
	l.awaitRelease(1)

	d.configure(webService("unix:s", "1s"))
	s.deploy(3, goodApp)
	d.signal(syscall.SIGHUP)
	second := d.await("msg=generation promoted").pid(t)
	if stop := d.await("msg=stop signal sent"); stop.pid(t) != first {
		t.Errorf("process %d was told to stop, want %d", stop.pid(t), first)
	}
	d.await("msg=generation exited", "pid="+strconv.Itoa(first), "exit=exited with status 0")
	drained := time.Now()
	l.awaitRelease(3)
	awaitAnswers(d)

	for a := range l.stop().Answers() {
		if got := releaseOf(a); got != 1 && got != 3 || got == 1 && a.Begun.After(drained) {
			t.Errorf("%q answered", a.Body)
			break
		}
	}
	if !alive(second) {
		t.Errorf("process %d does not live any more", second)
	}
	wantCalm(t, d)
}

func TestAKilledGunicornIsStartedAgainFromTheReleasePromotedLast(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.deploy(1, goodApp)
	d := startDaemonIn(t, s.dir, webService("unix:s", "1s")+"probation = 0\n")
	d.await("msg=generation promoted", "generation=1")
	s.awaitWorkers(d, webWorkers, 1)
	l := startLoad(t, "unix", s.path("s"))

	s.deploy(2, goodApp)
	d.signal(syscall.SIGHUP)
	master := d.await("msg=generation promoted", "generation=2").pid(t)
	d.await("msg=generation exited", "generation=1")
	if err := os.RemoveAll(s.path("releases", "1")); err != nil {
		t.Fatal(err)
	}
	s.awaitWorkers(d, webWorkers, 2)
	l.awaitRelease(2)

	s.deploy(3, goodApp) // which nobody asked for
	orphans := processGroup(t, master)
	if len(orphans) != 1+webWorkers {
		t.Errorf("gunicorn runs as %v, want a master and %d workers", orphans, webWorkers)
	}
	if err := syscall.Kill(master, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	d.await("msg=generation ended", "generation=2", "exit=killed by signal KILL")
	d.await("msg=restart", "in=0s")
	again := d.await("msg=generation started", "generation=3")
	if want := s.path("releases", "2"); again["release"] != want {
		t.Errorf("release %s was started again, want %s", again["release"], want)
	}
	t.Logf("started again after %s", at(t, again).Sub(killed).Round(time.Millisecond))
	d.sees("msg=generation exited", "generation=2")
	if left := processGroup(t, master); len(left) > 0 {
		t.Errorf("%v of %v outlive their master", left, orphans)
	}
	d.sees("msg=generation promoted", "generation=3")
	s.awaitWorkers(d, 2*webWorkers, 2)
	served := time.Now()
	l.awaitRelease(2)

	result := l.Stop()
	t.Logf("the KILL lost %d requests\n%s", result.Failures(), result)
	for a := range result.After(served) {
		if a.Class != load.OK || releaseOf(a) != 2 {
			t.Errorf("answer %+v after the new master served, want one of release 2", a)
			break
		}
	}
}

func TestAReloadOfOneServiceTouchesNoOtherAndABrokenOneHoldsUpNone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.deploy(1, goodApp)
	config := func(jobs, warmup string) string {
		return webService("unix:s", "300ms") + `
[services.mail]
command = ["sleep", "1000"]
warmup = "300ms"
[services.jobs]
command = ` + jobs + `
warmup = "` + warmup + `"
`
	}
	d := startDaemonIn(t, s.dir, config(`["sleep", "1000"]`, "300ms"))
	names := []string{"web", "mail", "jobs"}
	pids := make(map[string]int)
	for _, name := range names {
		pids[name] = d.sees("msg=generation promoted", "service="+name).pid(t)
	}
	s.awaitWorkers(d, webWorkers, 1)
	l := startLoad(t, "unix", s.path("s"))

	d.configure(config(`["sh", "-c", "exit 9"]`, "10s"))
	s.deploy(2, goodApp)
	d.signal(syscall.SIGHUP)
	done := d.await("msg=reload done")
	if done["promoted"] != "2" || done["kept_old"] != "1" || done["not_reloaded"] != "jobs" {
		t.Errorf("reload done %v, want jobs alone kept old", done)
	}
	for _, name := range names {
		if pid := activePID(t, d, name); (pid == pids[name]) != (name == "jobs") {
			t.Errorf("%s has process %d now, and %d before", name, pid, pids[name])
		}
		pids[name] = activePID(t, d, name)
	}
	kept := d.all("msg=reload ended", "service=jobs", "result=kept_old")
	if len(kept) != 1 || !strings.Contains(kept[0]["err"], "exited with status 9") {
		t.Errorf("jobs: %v, want exit status 9 as the reason", kept)
	}
	d.sees("msg=generation exited", "service=web")
	s.awaitWorkers(d, webWorkers, 2)

	d.name("mail\n")
	if done := d.await("msg=reload done"); done["promoted"] != "1" || done["kept_old"] != "" {
		t.Errorf("reload done %v, want one service promoted", done)
	}
	for _, name := range names {
		pid := activePID(t, d, name)
		if (pid != pids[name]) != (name == "mail") {
			t.Errorf("%s has process %d now, and %d before", name, pid, pids[name])
		}
		if !alive(pid) {
			t.Errorf("process %d of %s does not live any more", pid, name)
		}
	}
	l.awaitRelease(2)
	l.stop()
}

func TestTheGunicornExampleWorksAsItsReadmeSays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, app := range []string{goodApp, brokenApp} {
		if err := os.CopyFS(s.path(app), os.DirFS(filepath.Join(gunicornExample, app))); err != nil {
			t.Fatal(err)
		}
	}
	address := loopback()
	s.copyFile("deploy.sh")
	s.copyFile("hupwatch.toml", "127.0.0.1:8000", address) // another process may have the example's port

	s.script("1")
	d := newDaemon(t, s.dir)
	d.start()
	first := d.await("msg=generation promoted").pid(t)
	overUnix := startLoad(t, "unix", s.path("run", "app.sock"))
	overTCP := load.Start(t.Context(), load.Config{Network: "tcp", Address: address, Fresh: 1, Timeout: patience})
	overUnix.awaitRelease(1)

	s.script("2")
	second := d.await("msg=generation promoted").pid(t)
	d.await("msg=generation exited", "pid="+strconv.Itoa(first), "exit=exited with status 0")
	overUnix.awaitRelease(2)

	if to, err := os.Readlink(s.path("current")); err != nil || to != "releases/2" {
		t.Errorf("current leads to %q (%v)", to, err)
	}
	out, code := s.tryScript("3", brokenApp)
	for _, want := range []string{"app: kept old: ", "| ImportError: this release is broken on purpose", "current -> releases/2 again"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if to, err := os.Readlink(s.path("current")); code != exitOther || to != "releases/2" {
		t.Errorf("exit code %d, current leads to %q (%v)", code, to, err)
	}
	d.await("msg=reload done", "kept_old=1")
	overUnix.awaitRelease(2)
	siteLoad{overTCP, t}.awaitRelease(2)
	if !alive(second) {
		t.Errorf("process %d does not live any more", second)
	}

	siteLoad{overTCP, t}.stop()
	overUnix.stop()
	pid, err := os.ReadFile(s.path("run", "pid"))
	if err != nil || strings.TrimSpace(string(pid)) != strconv.Itoa(d.cmd.Process.Pid) {
		t.Errorf("run/pid says %q (%v), want %d", pid, err, d.cmd.Process.Pid)
	}
	d.signal(syscall.SIGTERM)
	if code := d.wait(); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
}

// copyFile copies a file of the example, with what differs replaced.
func (s *site) copyFile(name string, oldnew ...string) {
	s.t.Helper()
	file := filepath.Join(gunicornExample, name)
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(text), oldnew[i]) {
			s.t.Fatalf("%s has no %s", file, oldnew[i])
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		s.t.Fatal(err)
	}
	text = []byte(strings.NewReplacer(oldnew...).Replace(string(text)))
	if err := os.WriteFile(s.path(name), text, info.Mode()); err != nil {
		s.t.Fatal(err)
	}
}

// script runs the example's deploy.sh.
func (s *site) script(args ...string) {
	s.t.Helper()
	if out, code := s.tryScript(args...); code != exitDone {
		s.t.Fatalf("deploy.sh %v: exit code %d\n%s", args, code, out)
	}
}

// tryScript runs it, whatever comes of it.
func (s *site) tryScript(args ...string) (string, int) {
	cmd := exec.Command(s.path("deploy.sh"), args...)
	cmd.Env = append(os.Environ(), "HUPWATCH="+self(), asHupwatch+"=1")
	return output(cmd)
}

// wantCalm fails the test if anything happened that no good reload causes.
func wantCalm(t *testing.T, d *daemon) {
	t.Helper()
	for _, kind := range []string{"generation killed", "generation ended", "main process gone", "start failed", "restart", "trouble"} {
		if lines := d.all("msg=" + kind); len(lines) > 0 {
			t.Errorf("%v", lines)
		}
	}
}

// awaitAnswers waits until every reload asked for was reported, once.
func awaitAnswers(d *daemon) {
	d.t.Helper()
	var asked, done []string
	for answered := 1; ; answered++ {
		done = reloadIDs(d.awaitAll(answered, "msg=reload done"))
		if asked = reloadIDs(d.all("msg=reload asked")); len(asked) == len(done) {
			break
		}
	}
	slices.Sort(asked)
	slices.Sort(done)
	if !slices.Equal(asked, done) {
		d.t.Errorf("reloads %v were asked, %v reported", asked, done)
	}
}

func reloadIDs(lines []event) []string {
	var ids []string
	for _, e := range lines {
		ids = append(ids, e["reload"])
	}
	return ids
}

// activePID is the main process of a service, as the log has it.
func activePID(t *testing.T, d *daemon, service string) int {
	t.Helper()
	promoted := d.all("msg=generation promoted", "service="+service)
	return promoted[len(promoted)-1].pid(t)
}

// underWay counts the slow requests that had been begun then and were not
// answered yet.
func underWay(r *load.Result, then time.Time) int {
	n := 0
	for a := range r.Answers() {
		if a.Kind == load.Slow && a.Begun.Before(then) && a.Ended.After(then) {
			n++
		}
	}
	return n
}

// processGroup lists the processes of a process group that run.
func processGroup(t *testing.T, pgid int) []int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if got, err := syscall.Getpgid(pid); err == nil && got == pgid && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
