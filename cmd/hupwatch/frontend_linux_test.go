package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/examples/load"
)

// front is the example with haproxy in front of two services whose processes open a
// TCP port of their own.
type front struct {
	t      *testing.T
	dir    string
	daemon *daemon
	host   string
	app    *site // gunicorn, drained through haproxy's socket
	api    *site // node, which leaves by its health
}

const frontExample = "../../examples/behind-haproxy"

// newFront has the first release of both serve, and haproxy in front of them.
func newFront(t *testing.T) *front {
	t.Helper()
	needs(t, "gunicorn", "haproxy", "node", "socat")
	dir := shortDir(t)
	f := &front{t: t, dir: dir, app: &site{t: t, dir: filepath.Join(dir, "app")}, api: &site{t: t, dir: filepath.Join(dir, "api")}}
	f.host, _, _ = strings.Cut(loopback(), ":")
	for _, name := range []string{"hupwatch.toml", "haproxy.cfg", "lb"} {
		f.copy(name)
	}
	f.deploy(1, "")
	f.daemon = newDaemon(t, dir)
	f.daemon.cmd.Env = append(f.daemon.cmd.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	f.daemon.start()
	for _, service := range []string{"haproxy", "app", "api"} {
		f.awaits(service, 1)
	}
	return f
}

// copy copies a file of the example, with this test's own directory and addresses.
func (f *front) copy(name string) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(frontExample, name))
	if err != nil {
		f.t.Fatal(err)
	}
	own := strings.NewReplacer("/srv/front/", f.dir+"/", "/srv/", f.dir+"/", "runtime_dir = \"/run/hupwatch\"", "runtime_dir = \"run\"\nstate_dir = \"state\"", "/run/hupwatch", f.dir+"/run", "/run/haproxy", f.dir+"/haproxy", "127.0.0.1", f.host)
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(own.Replace(string(text))), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

// deploy makes a release of both, with this application instead of the example's if
// there is one.
func (f *front) deploy(release int, app string) {
	f.t.Helper()
	if app == "" {
		app = filepath.Join(gunicornExample, goodApp)
	}
	for from, s := range map[string]*site{app: f.app, filepath.Join(frontExample, "api"): f.api} {
		if err := os.CopyFS(s.path("releases", strconv.Itoa(release)), os.DirFS(from)); err != nil {
			f.t.Fatal(err)
		}
		s.link(release)
	}
}

// awaits waits until all of a service was started so often.
func (f *front) awaits(service string, times int) []event {
	f.t.Helper()
	instances := map[string]int{"haproxy": 1, "app": 2, "api": 2}
	return f.daemon.awaitAll(times*instances[service], "msg=generation promoted", "service="+service)
}

// load puts a load on what is below a path, at the front.
func (f *front) load(path string) siteLoad {
	return startLoadOf(f.t, load.Config{
		Network: "tcp", Address: f.host + ":8080",
		Fresh: 3, KeepAlive: 3, Slow: 2, Path: path, SlowPath: path + "slow?ms=300",
		Pause: pause, Timeout: patience,
	})
}

func TestServersBehindHaproxyAreReplacedOneAfterTheOtherAndLoseNoRequest(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	d := f.daemon
	app, api := f.load("/"), f.load("/api/")
	app.awaitRelease(1)
	api.awaitRelease(1)

	f.deploy(2, "")
	d.signal(syscall.SIGHUP)
	done := d.sees("msg=reload done", "reload=1")
	if done["promoted"] != "3" {
		t.Errorf("reload done %v, want all three promoted", done)
	}
	f.oneByOne("app")
	f.oneByOne("api")
	wantCalm(t, d)

	f.deploy(3, filepath.Join(gunicornExample, brokenApp))
	c := d.command("reload", "app", "--json").begin()
	c.says(exitOther)
	failed := time.Now()
	got := outcomes(t, c)["app"]
	if got.Result != "rolled_back" || !strings.Contains(got.Error, "exited with status 1") {
		t.Errorf("the result is %s: %s; want rolled_back, and gunicorn's exit status", got.Result, got.Error)
	}
	if tail := strings.Join(got.Tail, "\n"); !strings.Contains(tail, "this release is broken on purpose") {
		t.Errorf("the last lines do not tell why:\n%s", tail)
	}
	app.awaitRelease(2)

	f.deploy(4, "")
	d.asks(exitDone, "reload")
	served := time.Now()
	app.awaitRelease(4)
	api.awaitRelease(4)
	if hooks := d.all("msg=hook failed"); len(hooks) > 0 {
		t.Errorf("%v", hooks)
	}
	for a := range app.stop().After(at(t, done)) {
		if got := releaseOf(a); got != 2 && got != 4 || got == 2 && a.Begun.After(served) || got == 4 && a.Begun.Before(failed) {
			t.Errorf("%q answered", a.Body)
			break
		}
	}
	api.stop()
	d.ends(syscall.SIGTERM, patience)
}

// oneByOne wants no instance of a service to have been told to stop before the one
// before it was replaced.
func (f *front) oneByOne(service string) {
	f.t.Helper()
	steps := make([]string, 0, 4)
	for _, e := range f.daemon.all("service="+service, "reload=1") {
		if kind := e["msg"]; kind == "stop signal sent" || kind == "generation promoted" {
			steps = append(steps, fmt.Sprint(kind, " ", e["instance"]))
		}
	}
	if got, want := strings.Join(steps, ", "), "stop signal sent , generation promoted , stop signal sent 1, generation promoted 1"; got != want {
		f.t.Errorf("%s: %s; want %s", service, got, want)
	}
}
