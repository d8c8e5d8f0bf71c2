package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logfmt/logfmt"

	"hupwatch/cmd/hupwatch/early"
)

// asHupwatch makes the test binary be hupwatch: the daemon of the tests is built
// as the tests are, with the race detector if they have it. It stays set where
// hupwatch executes itself anew, and goes to no service, as no HUPWATCH_* does.
const asHupwatch = "HUPWATCH_UNDER_TEST"

// asContainer makes the test binary put itself into a container first.
const asContainer = "TEST_AS_CONTAINER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(asContainer); spec != "" {
		enterContainer(spec)
	}
	if os.Getenv(asHupwatch) != "" {
		main()
	}
	if dir := os.Getenv(asFake); dir != "" {
		beFake(dir)
	}
	if os.Getenv(asService) != "" {
		serveScript(strings.Join(os.Args[1:], " "))
	}
	early.Release()
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	code := m.Run()
	_ = os.RemoveAll(playerDir)
	os.Exit(code)
}

// patience is how long a test waits for what must come: much longer than it
// takes, on a host that is much busier than this one.
const patience = 60 * time.Second

// daemon is a hupwatch under test.
type daemon struct {
	t       *testing.T
	dir     string // with hupwatch.toml and run, its runtime_dir
	cmd     *exec.Cmd
	log     *eventLog
	exited  chan struct{}
	exit    int
	stopped bool
	gates   []*os.File // what was written into them waits there
}

// startDaemon writes the configuration and starts hupwatch with it. The [daemon]
// section is added: leave it out. It is stopped when the test ends.
func startDaemon(t *testing.T, config string) *daemon {
	t.Helper()
	return startDaemonIn(t, t.TempDir(), config)
}

func startDaemonIn(t *testing.T, dir, config string) *daemon {
	t.Helper()
	d := newDaemon(t, dir)
	d.configure(config)
	d.start()
	return d
}

// newDaemon is one that is yet to be started, with dir's hupwatch.toml. Its cmd
// may be changed.
func newDaemon(t *testing.T, dir string) *daemon {
	d := &daemon{t: t, dir: dir, log: newEventLog(), exited: make(chan struct{})}
	d.cmd = hupwatch("-c", d.path("hupwatch.toml"))
	d.cmd.Dir = dir
	return d
}

// start starts it. Its log and what services write is read, unless its cmd has
// another place for it.
func (d *daemon) start() {
	d.t.Helper()
	var said io.Reader = strings.NewReader("")
	if d.cmd.Stderr == nil {
		r, w, err := os.Pipe()
		if err != nil {
			d.t.Fatal(err)
		}
		defer w.Close()
		said, d.cmd.Stderr = r, w
		if d.cmd.Stdout == nil {
			d.cmd.Stdout = w
		}
	}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		d.log.read(said)
		_ = d.cmd.Wait()
		d.exit = exitCode(d.cmd.ProcessState)
		close(d.exited)
	}()
	d.t.Cleanup(d.cleanup)
}

// awaitAll waits until n lines so far have all these pairs, wherever the mark of
// await is, and returns all that have.
func (d *daemon) awaitAll(n int, pairs ...string) []event {
	d.t.Helper()
	late := time.After(patience)
	for {
		grown, ended := d.log.more()
		if found := d.all(pairs...); len(found) >= n {
			return found
		}
		if ended {
			d.t.Fatalf("%d lines with %q did not come before hupwatch ended; the log:\n%s", n, pairs, d.log.text())
		}
		select {
		case <-grown:
		case <-late:
			d.t.Fatalf("%d lines with %q did not come, but %d; the log:\n%s", n, pairs, len(d.all(pairs...)), d.log.text())
		}
	}
}

// hupwatch is the command with these arguments.
func hupwatch(args ...string) *exec.Cmd { return hupwatchOf(self(), args) }

// client is the command, as one that asks the daemon: hundreds are started, and the
// race detector is for the daemon.
func client(args ...string) *exec.Cmd { return hupwatchOf(player(), args) }

func hupwatchOf(program string, args []string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), asHupwatch+"=1")
	return cmd
}

func exitCode(s *os.ProcessState) int {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ExitCode()
}

func (d *daemon) path(elements ...string) string {
	return filepath.Join(append([]string{d.dir}, elements...)...)
}

// configure replaces the configuration file, whole.
func (d *daemon) configure(config string) {
	d.t.Helper()
	d.write("hupwatch.toml", "[daemon]\nruntime_dir = \"run\"\nstate_dir = \"state\"\n"+config)
}

// write replaces a file below the daemon's directory, whole.
func (d *daemon) write(name, text string) {
	d.t.Helper()
	temp := d.path(name + ".new")
	if err := os.WriteFile(temp, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(temp, d.path(name)); err != nil {
		d.t.Fatal(err)
	}
}

// read returns the text of a file below the daemon's directory.
func (d *daemon) read(name string) string {
	d.t.Helper()
	text, err := os.ReadFile(d.path(name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

func (d *daemon) signal(sig syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil {
		d.t.Fatalf("signal hupwatch: %v", err)
	}
}

// name writes the name file and sends USR2.
func (d *daemon) name(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.path("run", "reload"), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.signal(syscall.SIGUSR2)
}

// wait waits for the end of hupwatch and returns its exit code.
func (d *daemon) wait() int {
	d.t.Helper()
	select {
	case <-d.exited:
	case <-time.After(patience):
		d.t.Fatalf("hupwatch does not end; its log:\n%s", d.log.text())
	}
	d.stopped = true
	d.checkRaces()
	d.checkSurvivors()
	return d.exit
}

func (d *daemon) cleanup() {
	if !d.stopped {
		d.signalQuietly(syscall.SIGINT)
		select {
		case <-d.exited:
		case <-time.After(5 * time.Second):
			d.signalQuietly(syscall.SIGINT)
		}
		select {
		case <-d.exited:
		case <-time.After(patience):
			d.signalQuietly(syscall.SIGKILL)
			d.t.Errorf("hupwatch does not end when told to twice")
		}
		d.checkRaces()
		d.checkSurvivors()
	}
	for _, gate := range d.gates {
		gate.Close()
	}
	if d.t.Failed() {
		d.t.Logf("the log of hupwatch:\n%s", d.log.text())
	}
}

func (d *daemon) signalQuietly(sig syscall.Signal) { _ = d.cmd.Process.Signal(sig) }

func (d *daemon) checkRaces() {
	d.t.Helper()
	for _, bad := range []string{"DATA RACE", "panic:", "goroutine "} {
		if strings.Contains(d.log.text(), bad) {
			d.t.Errorf("hupwatch said %q", bad)
		}
	}
}

// checkSurvivors sees to it that a hupwatch that ended by itself left no process
// behind.
func (d *daemon) checkSurvivors() {
	d.t.Helper()
	if d.exit == 128+int(syscall.SIGKILL) {
		return
	}
	for _, pid := range d.marked() {
		d.t.Errorf("process %d outlives hupwatch", pid)
	}
}

// marked lists the processes that carry the mark of this hupwatch: its services
// and their children.
func (d *daemon) marked() []int {
	text, err := os.ReadFile(d.path("run", "state", "mark"))
	if err != nil {
		return nil
	}
	mark, _, _ := strings.Cut(string(text), " ") // the boot comes behind it
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, path := range environs {
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte("HUPWATCH_MARK="+mark+"/")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// sees returns the first line of the whole log, from its beginning, that has all
// these pairs, as soon as there is one. It leaves the mark of await alone.
func (d *daemon) sees(pairs ...string) event {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	_, e, err := d.log.first(ctx, pairs)
	if err != nil {
		d.t.Fatalf("no line with %q came: %v; the log:\n%s", pairs, err, d.log.text())
	}
	return e
}

// order fails the test unless the first lines that match come in this order.
func (d *daemon) order(lines ...[]string) {
	d.t.Helper()
	last := -1
	for i, pairs := range lines {
		d.sees(pairs...)
		at, _, _ := d.log.first(d.t.Context(), pairs)
		if at <= last {
			d.t.Errorf("%q came before %q", pairs, lines[i-1])
		}
		last = at
	}
}

// await returns the first line of the log, from the mark on, that has all these
// pairs: "msg=generation promoted", "service=web". It moves the mark behind it.
func (d *daemon) await(pairs ...string) event {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	e, err := d.log.next(ctx, pairs)
	if err != nil {
		d.t.Fatalf("no line with %q came: %v; the log:\n%s", pairs, err, d.log.text())
	}
	return e
}

// all returns every line so far that has all these pairs.
func (d *daemon) all(pairs ...string) []event { return d.log.all(pairs) }

// event is a line of hupwatch's log.
type event map[string]string

func (e event) pid(t *testing.T) int {
	t.Helper()
	pid, err := strconv.Atoi(e["pid"])
	if err != nil {
		t.Fatalf("no pid in %v", e)
	}
	return pid
}

func (e event) has(pairs []string) bool {
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		if e[key] != value {
			return false
		}
	}
	return true
}

// eventLog collects the log of a hupwatch while it runs.
type eventLog struct {
	mu    sync.Mutex // guards what is below
	lines []string
	marks int           // lines before this one were awaited
	grown chan struct{} // closed and replaced when there is more
	ended bool
}

func newEventLog() *eventLog { return &eventLog{grown: make(chan struct{})} }

func (l *eventLog) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		l.mu.Lock()
		if line != "" {
			l.lines = append(l.lines, strings.TrimSuffix(line, "\n"))
		}
		l.ended = err != nil
		close(l.grown)
		l.grown = make(chan struct{})
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (l *eventLog) next(ctx context.Context, pairs []string) (event, error) {
	for {
		l.mu.Lock()
		for ; l.marks < len(l.lines); l.marks++ {
			if e := parse1(l.lines[l.marks]); e.has(pairs) {
				l.marks++
				l.mu.Unlock()
				return e, nil
			}
		}
		grown, ended := l.grown, l.ended
		l.mu.Unlock()
		if ended {
			return nil, errors.New("hupwatch has ended")
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// more returns what is closed when there are more lines than now, and whether
// these were the last ones.
func (l *eventLog) more() (grown <-chan struct{}, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown, l.ended
}

// first finds the first line of all that matches and tells which one it is.
func (l *eventLog) first(ctx context.Context, pairs []string) (int, event, error) {
	for i := 0; ; {
		l.mu.Lock()
		for ; i < len(l.lines); i++ {
			if e := parse1(l.lines[i]); e.has(pairs) {
				l.mu.Unlock()
				return i, e, nil
			}
		}
		grown, ended := l.grown, l.ended
		l.mu.Unlock()
		if ended {
			return 0, nil, errors.New("hupwatch has ended")
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

func (l *eventLog) all(pairs []string) []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []event
	for _, line := range l.lines {
		if e := parse1(line); e.has(pairs) {
			found = append(found, e)
		}
	}
	return found
}

func (l *eventLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func parse1(line string) event {
	e := make(event)
	d := logfmt.NewDecoder(bytes.NewReader([]byte(line)))
	for d.ScanRecord() {
		for d.ScanKeyval() {
			e[string(d.Key())] = string(d.Value())
		}
	}
	return e
}

// alive reports whether the process runs; a zombie does not.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')'):]), " ")
	return !strings.HasPrefix(rest, "Z")
}
