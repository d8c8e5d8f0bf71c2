package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hupwatch/examples/load"
)

// site is a directory with releases of a gunicorn application, and a link to the
// current one.
type site struct {
	t   *testing.T
	dir string
}

// gunicornExample is where the application comes from.
const gunicornExample = "../../examples/gunicorn"

// newSite skips the test where there is no gunicorn.
func newSite(t *testing.T) *site {
	t.Helper()
	needs(t, "gunicorn")
	return &site{t: t, dir: shortDir(t)}
}

// needs skips the test where one of the programs is missing.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// shortDir is not TempDir: the name of the test would make the path of a socket too
// long.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "site") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (s *site) path(elements ...string) string {
	return filepath.Join(append([]string{s.dir}, elements...)...)
}

// The directories of the example.
const (
	goodApp   = "app"
	brokenApp = "broken"
)

// deploy makes a release and lets the link lead to it, as deploy.sh does but
// without the HUP.
func (s *site) deploy(release int, app string) {
	s.t.Helper()
	name := filepath.Join("releases", strconv.Itoa(release))
	if err := os.CopyFS(s.path(name), os.DirFS(filepath.Join(gunicornExample, app))); err != nil {
		s.t.Fatal(err)
	}
	hooks, err := os.ReadFile("testdata/gunicorn.conf.py")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name, "gunicorn.conf.py"), hooks, 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.link(release)
}

// link lets current lead to a release.
func (s *site) link(release int) {
	s.t.Helper()
	if err := os.Symlink(filepath.Join("releases", strconv.Itoa(release)), s.path("current.new")); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.path("current.new"), s.path("current")); err != nil {
		s.t.Fatal(err)
	}
}

// awaitWorkers waits until so many workers of a release serve. A gunicorn whose
// workers are still being forked when it is told to stop forgets to tell the
// last of them, and kills it 30 s later: a race of its own.
func (s *site) awaitWorkers(d *daemon, n, release int) {
	s.t.Helper()
	d.awaitAll(n, "msg=worker ready", "release="+strconv.Itoa(release))
}

// loopback returns a TCP address that nobody else has: not even a port that
// this host picked for some connection can be in the way.
func loopback() string {
	pid, n := os.Getpid(), loopbacks.Add(1)
	return fmt.Sprintf("127.%d.%d.%d:8000", 100+n%100, pid>>8&255, pid&255)
}

var loopbacks atomic.Int32

// siteLoad is what hits a site while it is being reloaded.
type siteLoad struct {
	*load.Load
	t *testing.T
}

// pause is how long each of its clients rests after an answer: many of these tests run
// at a time, and have the processors for more than the load.
const pause = 60 * time.Millisecond

// startLoad keeps 8 clients asking, and 4 waiting for slow answers, until stop or
// the end of the test.
func startLoad(t *testing.T, network, address string) siteLoad {
	return startLoadOf(t, load.Config{
		Network: network, Address: address,
		Fresh: 8,
		Slow:  4, SlowPath: "/slow?ms=600",
		Pause: pause, Timeout: patience,
	})
}

func startLoadOf(t *testing.T, c load.Config) siteLoad {
	l := load.Start(t.Context(), c)
	t.Cleanup(func() {
		if result := l.Stop(); t.Failed() {
			t.Logf("the load:\n%s", result)
		}
	})
	return siteLoad{l, t}
}

// awaitRelease waits for an answer of that release.
func (l siteLoad) awaitRelease(release int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	if _, err := l.Await(ctx, func(a load.Answer) bool { return releaseOf(a) == release }); err != nil {
		l.t.Fatalf("no answer of release %d: %v", release, err)
	}
}

// stop ends the load, says what it saw, and fails the test if it lost anything.
func (l siteLoad) stop() *load.Result {
	l.t.Helper()
	result := l.Stop()
	l.t.Logf("load: %d requests, fresh ones within %s\n%s", result.Total(), result.MaxLatency(load.Fresh), result)
	if n := result.Failures(); n > 0 {
		l.t.Errorf("%d requests of %d were lost", n, result.Total())
	}
	return result
}

// releaseOf is the release that gave the answer, or 0.
func releaseOf(a load.Answer) int {
	text, _, _ := strings.Cut(a.Body, " ")
	n, _ := strconv.Atoi(text)
	return n
}
