package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/examples/load"
)

// A host whose cores are all kept busy by others is where time proved nothing: what
// was measured there went wrong every time. Everything here is seen on one. It is not
// parallel itself, so that no other test has to share the cores with what keeps them
// busy.
func TestBusyHostDoesNotMisleadReloads(t *testing.T) {
	busy(t)
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"a release that cannot be imported is never promoted", cannotBeImported},
		{"the answer of the old one is no proof of the new one", answerOfTheOldOne},
		{"a release that ends while reload waits is rolled back for all who ask", endsWhileReloadWaits},
		{"a deploy that was refused is no outage at the next start", refusedAndStartedAgain},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t)
		})
	}
}

// busy keeps every core busy until the test ends.
func busy(t *testing.T) {
	t.Helper()
	for range runtime.NumCPU() {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
}

// faulty makes a release of the application that can be bad, and lets the link lead
// to it. An empty fault is a good one.
func (s *site) faulty(release int, fault string) {
	s.t.Helper()
	dir := s.path("releases", strconv.Itoa(release))
	if err := os.CopyFS(dir, os.DirFS("testdata/bad/gunicorn")); err != nil {
		s.t.Fatal(err)
	}
	if fault != "" {
		if err := os.WriteFile(filepath.Join(dir, "fault"), []byte(fault), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	s.link(release)
}

// believed is a gunicorn that nothing is said of but where it listens, and more keys.
func believed(address string, more ...string) string {
	return fmt.Sprintf(`
[services.web]
command = ["gunicorn", "--workers", "4", "wsgi:app"]
working_dir = "current"
listen = ["tcp://%s"]
%s
`, address, strings.Join(more, "\n"))
}

// startBelieved starts it with a good release.
func startBelieved(t *testing.T, config string) (*site, *daemon) {
	t.Helper()
	s := newSite(t)
	s.faulty(1, "")
	d := startDaemonIn(t, s.dir, config)
	d.promoted("web", 1)
	return s, d
}

// startFresh has so many clients ask, over a new connection each time.
func startFresh(t *testing.T, address string, clients int) siteLoad {
	return startLoadOf(t, load.Config{Network: "tcp", Address: address, Fresh: clients, Pause: pause, Timeout: patience})
}

// The workers of a release that cannot be imported take longer to fail than any
// warm-up that somebody guessed.
func cannotBeImported(t *testing.T) {
	address := loopback()
	s, d := startBelieved(t, believed(address, `warmup = "100ms"`))
	l := startFresh(t, address, 4)
	l.awaitRelease(1)

	for release := 2; release < 5; release++ {
		s.faulty(release, "import")
		d.asks(exitOther, "reload", "web").says(exitOther, "web: kept old: exited with status", "No module named 'no_such_module'")
	}
	s.faulty(5, "")
	d.asks(exitDone, "reload", "web")
	l.awaitRelease(5)
	l.stop()
	if n := len(d.all("msg=generation promoted")); n != 2 {
		t.Errorf("%d generations were promoted, want the two good ones", n)
	}
	d.ends(syscall.SIGTERM, patience)
}

// The old generation answers at the address that is probed. What it says is nothing
// that is known of the new one.
func answerOfTheOldOne(t *testing.T) {
	address := loopback()
	ready := fmt.Sprintf(`ready = { http = "http://%s/healthz" }`, address)
	good := believed(address, ready)
	ill := believed(address, ready, `start_timeout = "20s"`) // long enough to answer the first probe
	hangs := believed(address, ready, `start_timeout = "8s"`)
	s, d := startBelieved(t, good)
	l := startFresh(t, address, 4)
	l.awaitRelease(1)

	const rounds = 2
	release := 1
	for range rounds {
		d.configure(ill)
		s.faulty(release+1, "error")
		d.asks(exitOther, "reload", "web").says(exitOther, "web: kept old: ", "within start_timeout (20s)", "500 Internal Server Error")
		d.configure(hangs)
		s.faulty(release+2, "boot 3600")
		d.asks(exitOther, "reload", "web").says(exitOther, "web: kept old: ", "within start_timeout (8s)")
		d.configure(good)
		release += 3
		s.faulty(release, "")
		d.asks(exitDone, "reload", "web")
		l.awaitRelease(release)
	}
	// Who shares a socket takes requests as soon as it accepts, and a sick one answers
	// them as it does, until that is found out. Nothing else may happen to any.
	result := l.Stop()
	sick := result.Count(load.Status)
	t.Logf("%d of %d requests were answered by a sick release on trial\n%s", sick, result.Total(), result)
	if lost := result.Failures() - sick; lost > 0 {
		t.Errorf("%d requests were lost", lost)
	}
	trials := d.trials()
	for a := range result.Answers() {
		during := func(tr onTrial) bool { return !a.Ended.Before(tr.began) && !a.Begun.After(tr.gone) }
		if a.Class == load.Status && !slices.ContainsFunc(trials, during) {
			t.Errorf("a request at %s was answered by a sick release that was on trial no more", a.Ended)
		}
	}
	if n := len(d.all("msg=generation promoted")); n != 1+rounds {
		t.Errorf("%d generations were promoted, want the %d good ones", n, 1+rounds)
	}
	d.ends(syscall.SIGTERM, patience)
}

// onTrial is when a release that was kept out was there.
type onTrial struct{ began, gone time.Time }

func (d *daemon) trials() []onTrial {
	var all []onTrial
	for _, e := range d.all("msg=reload ended", "result=kept_old") {
		number := "generation=" + e["generation"]
		all = append(all, onTrial{at(d.t, d.sees("msg=generation started", number)), at(d.t, d.sees("msg=generation exited", number))})
	}
	return all
}

// While reload waits for the old one to finish its work the new one ends: what it came
// to is said, and nobody's request is lost by going back.
func endsWhileReloadWaits(t *testing.T) {
	address := loopback()
	s, d := startBelieved(t, believed(address, `probation = "1h"`, `stop_timeout = "5m"`, `environment = { GUNICORN_CMD_ARGS = "--timeout 300 --graceful-timeout 300" }`))
	for i, options := range [][]string{{"reload", "web"}, {"reload", "web", "--json"}} {
		release := 2 + i
		held, end := s.hold(address, release) // it keeps the old one draining
		quick := startFresh(t, address, 2)
		quick.awaitRelease(1)
		s.faulty(release, "mortal")
		reload := d.command(options...).begin()
		quick.awaitRelease(release)
		d.sees("msg=reload ended", "result=promoted", "reload="+strconv.Itoa(1+i))
		asked := time.Now()
		endRelease(t, address, release)
		d.sees("msg=rolled back", "reload="+strconv.Itoa(1+i))
		end()
		reload.says(exitOther, "rolled", "back", "it ended within its probation: exited with status 0")
		quick.awaitRelease(1)
		longest := time.Duration(0)
		result := quick.stop()
		for a := range result.After(asked) {
			longest = max(longest, a.Latency())
		}
		if err := <-held; err != nil {
			t.Errorf("what the old one was answering: %v", err)
		}
		t.Logf("a request that came while nothing served waited %s at most", longest.Round(time.Millisecond))

		id := uint64(len(d.all("msg=reload done")))
		for _, r := range []string{d.reloaded(id).Services[0].Result, d.status("web").LastReload.Result} {
			if r != "rolled_back" {
				t.Errorf("the API says it was %s", r)
			}
		}
		if why := d.reloaded(id).Services[0]; why.Generation == why.FailedGeneration || why.FailedGeneration == 0 {
			t.Errorf("generation %d serves, and %d is said to have failed", why.Generation, why.FailedGeneration)
		}
		d.asks(exitUnknown, "why").says(exitUnknown, "web: rolled back ", "releases/"+strconv.Itoa(release)+": it ended within its probation")
	}
	s.faulty(4, "")
	d.asks(exitDone, "reload", "web")
	d.asks(exitDone, "why").says(exitDone, "nothing is wrong: 1 service")
	d.ends(syscall.SIGTERM, patience)
}

// get asks once, and finds out which release answers.
func get(t *testing.T, address, path string, release *int) error {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * patience}
	answer, err := client.Get("http://" + address + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = fmt.Fscan(answer.Body, release)
	return err
}

// hold has the release that serves work on a request from now on, until end is called.
func (s *site) hold(address string, nth int) (answered <-chan error, end func()) {
	s.t.Helper()
	path := s.path("hold" + strconv.Itoa(nth))
	if err := makeGate(path); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- get(s.t, address, "/held?by="+path, new(int)) }()
	gate, err := os.OpenFile(path, os.O_WRONLY, 0) // which is when it has begun to read
	if err != nil {
		s.t.Fatal(err)
	}
	return done, func() { gate.Close() }
}

// endRelease asks until the release ends itself.
func endRelease(t *testing.T, address string, release int) {
	t.Helper()
	for late := time.Now().Add(patience); time.Now().Before(late); {
		who := 0
		if err := get(t, address, "/end", &who); err != nil {
			t.Fatal(err)
		}
		if who == release {
			return
		}
	}
	t.Fatalf("release %d does not answer", release)
}

// A deploy was refused at noon, and nobody has put the link back; at night the host is
// started anew.
func refusedAndStartedAgain(t *testing.T) {
	address := loopback()
	s, d := startBelieved(t, believed(address))
	s.faulty(2, "import")
	d.asks(exitOther, "reload", "web").says(exitOther, "web: kept old: ")
	d.ends(syscall.SIGTERM, patience)
	if err := os.RemoveAll(s.path("run")); err != nil { // as after a reboot
		t.Fatal(err)
	}

	next := d.again()
	next.sees("msg=started from the last good release", "service=web", "level=error")
	next.promoted("web", 1)
	if e := next.sees("msg=generation started"); !strings.HasSuffix(e["release"], "/releases/1") {
		t.Errorf("%v, want the release before", e)
	}
	l := startFresh(t, address, 2)
	l.awaitRelease(1)
	next.asks(exitDone, "status").says(exitDone, "started from the last good release, not ", "/releases/2: ", "hupwatch reload web")
	next.asks(exitUnknown, "why", "web").says(exitUnknown, "started from the last good release, not the configured one", "correct it, then hupwatch reload web")

	next.asks(exitOther, "reload", "web").says(exitOther, "web: kept old: ", "No module named 'no_such_module'")
	s.faulty(3, "")
	next.asks(exitDone, "reload", "web")
	l.awaitRelease(3)
	next.asks(exitDone, "why", "web").says(exitDone, "web: nothing is wrong, ")
	next.asks(exitDone, "rollback", "web")
	l.awaitRelease(1)
	l.stop()
	next.ends(syscall.SIGTERM, patience)
}

func TestQuickDeploysGoBackToTheLastGoodOne(t *testing.T) {
	t.Parallel()
	trial := strings.Replace(quick, "probation = 0", `probation = "1h"`, 1)
	d := startDaemon(t, trial+service("web", "serve", `environment = { DEPLOY = "1", `+asService+` = "1" }`))
	d.up("web", 1)
	for n := 2; n < 6; n++ {
		d.configure(trial + service("web", "serve", fmt.Sprintf(`environment = { DEPLOY = "%d", %s = "1" }`, n, asService)))
		d.asks(exitDone, "reload", "web", "--no-drain")
	}
	fifth := environOf(t, d.up("web", 5))["DEPLOY"]
	d.configure(trial + service("web", "gate bad; exit 3"))
	d.signal(syscall.SIGHUP)
	d.promoted("web", 6)
	d.sees("msg=reload ended", "result=promoted", "generation=6")
	d.open("bad")
	d.sees("msg=rolled back", "generation=6")
	if got := environOf(t, d.up("web", 7))["DEPLOY"]; got != fifth || got != "5" {
		t.Errorf("deploy %s serves, want the fifth", got)
	}
	d.ends(syscall.SIGTERM, soon)
}
