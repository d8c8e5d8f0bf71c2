package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/examples/load"
	"hupwatch/runner/control"
)

// stage is one hupwatch with real servers, each under load, that one release after
// the other is deployed to.
type stage struct {
	t      *testing.T
	daemon *daemon
	actors []*actor
}

// actor is one of the servers.
type actor struct {
	*site
	server  realServer
	daemon  *daemon
	address string
	load    siteLoad
	release int         // the last one that was deployed
	serving int         // the one that has to serve
	pid     int         // what serves it
	starts  map[int]int // how often each release was started
	crashes []crash
}

// crash is the end of a process that had connections, and that takes them with it.
type crash struct {
	from, to time.Time
	// harmless tells that who comes later waits in a socket that hupwatch holds.
	harmless bool
}

// actorClients is how many requests to a server are under way at a time.
const actorClients = 8

// newStage has the first releases serve. A server that is not installed is left out.
func newStage(t *testing.T, servers []realServer) *stage {
	t.Helper()
	dir := shortDir(t)
	st := &stage{t: t, daemon: newDaemon(t, dir)}
	for _, server := range servers {
		if _, err := exec.LookPath(server.program); err != nil && os.Getenv("CI") == "" {
			t.Logf("%s is left out: %v", server.name, err)
			continue
		}
		a := &actor{
			site: &site{t: t, dir: filepath.Join(dir, server.name)}, server: server, daemon: st.daemon,
			address: filepath.Join(dir, server.name, "s"), starts: make(map[int]int),
		}
		if server.network == "tcp" {
			a.address = loopback()
		}
		st.actors = append(st.actors, a)
	}
	if len(st.actors) == 0 {
		t.Skip("none of the servers is installed")
	}

	st.deploy("")
	st.daemon.start()
	for _, a := range st.actors {
		a.pid = a.daemon.sees("msg=generation promoted", "service="+a.server.name).pid(t)
		a.serves(a.release)
		a.begin()
	}
	return st
}

// deploy makes a release of each, bad in that way where the server has a bad one of
// that kind, and writes the file.
func (st *stage) deploy(what string) {
	st.t.Helper()
	var text strings.Builder
	for _, a := range st.actors {
		bad := a.server.bad[what]
		a.deploy(bad.fault)
		text.WriteString(a.section(bad.keys))
	}
	st.daemon.configure(text.String())
}

// promotes deploys good releases, by a HUP.
func (st *stage) promotes() {
	st.t.Helper()
	st.deploy("")
	st.daemon.signal(syscall.SIGHUP)
	for _, a := range st.actors {
		a.promoted()
	}
}

// keepsOld deploys releases that are bad in that way, and wants the old ones to serve
// on as if nothing had happened, and the reason to be told. Those that there is no
// such release of get a good one, and have it promoted.
func (st *stage) keepsOld(what string) {
	st.t.Helper()
	before := make(map[string]control.Service)
	for _, a := range st.actors {
		before[a.server.name] = st.daemon.status(a.server.name)
	}
	st.deploy(what)
	c := st.daemon.command("reload", "--json").begin()
	for _, a := range st.actors {
		if bad := a.server.bad[what]; bad.after != "" {
			a.crash("msg="+bad.after, "pid="+strconv.Itoa(a.started()))
		}
	}
	c.says(exitOther)

	results := outcomes(st.t, c)
	for _, a := range st.actors {
		if _, ok := a.server.bad[what]; !ok {
			a.promoted()
			continue
		}
		a.crashed()
		got, old := results[a.server.name], before[a.server.name]
		if got.Result != "kept_old" {
			st.t.Errorf("%s %s: the result is %s, want kept_old: %s", a.server.name, what, got.Result, got.Error)
		}
		a.tells(what, got.Outcome)
		a.untouched(what, old)
		a.nothingLeft(what)
		a.load.awaitRelease(a.serving)
	}
}

// rollsBack deploys releases that die after their promotion.
func (st *stage) rollsBack(what string) {
	st.t.Helper()
	st.deploy(what)
	st.daemon.asks(exitDone, "reload")
	for _, a := range st.actors {
		bad := a.server.bad[what]
		name, failed := "service="+a.server.name, a.started()
		a.starts[a.release]++
		a.drained(a.pid)
		a.crash("msg="+bad.after, "pid="+strconv.Itoa(a.pid))
		st.daemon.sees("msg=rolled back", name, "pid="+strconv.Itoa(failed))
		back := st.daemon.awaitAll(1+a.starts[a.serving], "msg=generation started", name, "release="+a.path("releases", strconv.Itoa(a.serving)))
		a.pid = back[len(back)-1].pid(st.t)
		st.daemon.sees("msg=generation promoted", name, "pid="+strconv.Itoa(a.pid))
		a.crashed()
		a.serves(a.serving)
		a.load.awaitRelease(a.serving)

		got := st.daemon.status(a.server.name)
		if got.LastReload.Result != "rolled_back" || got.PID != a.pid {
			st.t.Errorf("%s %s: the last reload is %s and %d serves, want rolled_back and %d", a.server.name, what, got.LastReload.Result, got.PID, a.pid)
		}
		a.tells(what, got.LastReload)
		a.nothingLeft(what)
	}
}

// loads ends the loads, and fails the test if they lost anything but what a crash
// took with it.
func (st *stage) loads() {
	st.t.Helper()
	for _, a := range st.actors {
		a.judge(a.load.Stop())
	}
}

// begin puts the load on. The first generation is promoted when its warm-up is over,
// whether or not it listens by then.
func (a *actor) begin() {
	a.t.Helper()
	eventually(a.t, a.server.name+" listens", func() bool {
		c, err := net.Dial(a.server.network, a.address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	a.load = startLoadOf(a.t, load.Config{
		Network: a.server.network, Address: a.address,
		Fresh: 3, KeepAlive: 3, Slow: 2, SlowPath: "/slow?ms=300",
		Pause: 200 * time.Millisecond, Timeout: patience,
	})
	a.load.awaitRelease(a.release)
}

// deploy makes a release, with a fault or without, and lets the link lead to it.
func (a *actor) deploy(fault string) {
	a.t.Helper()
	a.release++
	dir := a.path("releases", strconv.Itoa(a.release))
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "bad", a.server.app))); err != nil {
		a.t.Fatal(err)
	}
	if fault != "" {
		if err := os.WriteFile(filepath.Join(dir, "fault"), []byte(fault), 0o644); err != nil {
			a.t.Fatal(err)
		}
		if err := makeGate(filepath.Join(dir, "gate")); err != nil {
			a.t.Fatal(err)
		}
	}
	a.link(a.release)
}

// section is that of the file, with these keys on top of those of the server.
func (a *actor) section(more keys) string {
	all := keys{"working_dir": strconv.Quote(a.path("current")), "warmup": `"300ms"`, "stop_timeout": `"35s"`, "probation": "0"}
	maps.Copy(all, a.server.keys)
	maps.Copy(all, more)
	text := "[services." + a.server.name + "]\n"
	for _, key := range slices.Sorted(maps.Keys(all)) {
		text += key + " = " + a.fill(all[key]) + "\n"
	}
	return text
}

// fill puts the address where it belongs.
func (a *actor) fill(text string) string {
	host, _, _ := strings.Cut(a.address, ":")
	return strings.NewReplacer("ADDRESS", a.address, "HOST", host).Replace(text)
}

// started waits until the release that was deployed last is started, and returns its
// process.
func (a *actor) started() int {
	a.t.Helper()
	return a.daemon.sees("msg=generation started", "service="+a.server.name, "release="+a.path("releases", strconv.Itoa(a.release))).pid(a.t)
}

// promoted waits until the release that was deployed last serves, and the one before
// it has gone.
func (a *actor) promoted() {
	a.t.Helper()
	name, old := "service="+a.server.name, a.pid
	a.pid = a.started()
	a.daemon.sees("msg=generation promoted", name, "pid="+strconv.Itoa(a.pid))
	a.drained(old)
	a.serves(a.release)
	a.load.awaitRelease(a.release)
}

// drained waits until what served has gone.
func (a *actor) drained(pid int) {
	a.t.Helper()
	a.daemon.sees("msg=generation exited", "pid="+strconv.Itoa(pid))
}

// drops are the times from the stop signal to the end of each generation. That a
// signal was sent stands in the log when it may have worked already.
func (a *actor) drops() (all []crash) {
	for _, e := range a.daemon.all("msg=generation exited", "service="+a.server.name) {
		took, err := time.ParseDuration(e["took"])
		if err != nil {
			a.t.Errorf("%v: %v", e, err)
		}
		const rounded = 50 * time.Millisecond
		all = append(all, crash{from: at(a.t, e).Add(-took - rounded), to: at(a.t, e), harmless: true})
	}
	return all
}

// serves waits until a release that was started once more serves as well as it can: a
// gunicorn that is told to stop before that forgets its last workers.
func (a *actor) serves(release int) {
	a.t.Helper()
	a.serving = release
	a.starts[release]++
	a.daemon.awaitAll(a.server.workers*a.starts[release], "msg=worker ready", "service="+a.server.name, "release="+strconv.Itoa(release))
}

// crash has the release that was deployed last crash, once the log has this line.
func (a *actor) crash(after ...string) {
	a.t.Helper()
	a.daemon.sees(after...)
	if a.server.keys["listen"] != "" { // then it has connections by now
		a.load.awaitRelease(a.release)
	}
	a.crashes = append(a.crashes, crash{from: time.Now(), harmless: a.server.keys["listen"] != ""})
	a.daemon.open(filepath.Join(a.server.name, "releases", strconv.Itoa(a.release), "gate"))
}

// crashed ends the time in which a crash may have done harm.
func (a *actor) crashed() {
	if n := len(a.crashes); n > 0 && a.crashes[n-1].to.IsZero() {
		a.crashes[n-1].to = time.Now()
	}
}

// tells wants to read what an operator needs to know.
func (a *actor) tells(what string, got control.Outcome) {
	a.t.Helper()
	a.t.Logf("%s %s: %s", a.server.name, what, got.Error)
	bad, tail := a.server.bad[what], strings.Join(got.Tail, "\n")
	for _, want := range bad.reason {
		if want = a.fill(want); !strings.Contains(got.Error, want) {
			a.t.Errorf("%s %s: the reason is %q, want %q in it", a.server.name, what, got.Error, want)
		}
	}
	if !strings.Contains(tail, bad.tail) {
		a.t.Errorf("%s %s: %q is not in the last lines:\n%s", a.server.name, what, bad.tail, tail)
	}
}

// untouched wants the generation that served to serve on, and never to have been sent
// a signal.
func (a *actor) untouched(what string, before control.Service) {
	a.t.Helper()
	if now := a.daemon.status(a.server.name); now.PID != before.PID || now.Generation != before.Generation || now.State != "running" {
		a.t.Errorf("%s %s: generation %d with process %d is %s, before it was %d with %d", a.server.name, what, now.Generation, now.PID, now.State, before.Generation, before.PID)
	}
	if sent := a.daemon.all("msg=stop signal sent", "pid="+strconv.Itoa(before.PID)); len(sent) > 0 {
		a.t.Errorf("%s %s: the old one was told to stop: %v", a.server.name, what, sent)
	}
}

// nothingLeft waits until no process is left of the release that was deployed last:
// none of the session of its main process, none in its directory.
func (a *actor) nothingLeft(what string) {
	a.t.Helper()
	dir, sessions := a.path("releases", strconv.Itoa(a.release)), make(map[int]bool)
	for _, e := range a.daemon.all("msg=generation started", "release="+dir) {
		sessions[e.pid(a.t)] = true
	}
	eventually(a.t, a.server.name+" "+what+": nothing is left of it", func() bool {
		return !slices.ContainsFunc(processes(a.t), func(pid int) bool {
			session, _ := unix.Getsid(pid)
			cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
			return alive(pid) && (sessions[session] || cwd == dir)
		})
	})
}

// judge fails the test for every request that was lost, but for those that a crash
// took with it.
func (a *actor) judge(result *load.Result) {
	a.t.Helper()
	if a.server.drops {
		a.crashes = append(a.crashes, a.drops()...)
	}
	harmed := make([]int, len(a.crashes))
	for answer := range result.Answers() {
		i := slices.IndexFunc(a.crashes, func(c crash) bool { return c.explains(answer) })
		switch {
		case answer.Class == load.OK:
		case i < 0:
			a.t.Errorf("%s: a request of %s, %s, was lost: %v", a.server.name, answer.Begun.Format("15:04:05.000"), answer.Kind, answer.Err)
		default:
			harmed[i]++
		}
	}
	for i, c := range a.crashes {
		if c.harmless && harmed[i] > actorClients {
			a.t.Errorf("%s: a crash took %d requests with it, when %d were under way", a.server.name, harmed[i], actorClients)
		}
	}
	a.t.Logf("%s: %d requests; crashes, and drains that drop some, took %v with them\n%s", a.server.name, result.Total(), harmed, result)
}

// explains reports whether a crash can be why a request was lost.
func (c crash) explains(a load.Answer) bool {
	if a.Begun.After(c.to) || a.Ended.Before(c.from) {
		return false
	}
	switch a.Class {
	case load.Cut, load.Reset:
		return true
	case load.Refused, load.NotFound: // what the public path leads to has gone
		return !c.harmless
	}
	return false
}

// outcomes are what a reload --json says of each service.
func outcomes(t *testing.T, c *command) map[string]control.ServiceReload {
	t.Helper()
	lines := bytes.Split(bytes.TrimSpace(c.stdout.Bytes()), []byte("\n"))
	var last control.Event
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil || last.Reload == nil {
		t.Fatalf("the last line has no result: %v: %s", err, lines[len(lines)-1])
	}
	all := make(map[string]control.ServiceReload)
	for _, s := range last.Reload.Services {
		all[s.Name] = s
	}
	return all
}

// processes lists all there are.
func processes(t *testing.T) []int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
