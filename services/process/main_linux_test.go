package process_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
	"hupwatch/services/process/stub"
)

// The tests run one after the other: what a table reaps is every child of the
// whole program, so there can be one table at a time. Their children are this
// test binary again, in the part that helper names, or cat where only a
// program that is not Go shows what the kernel gave it.
func TestMain(m *testing.M) {
	if part, found := os.LookupEnv("HELPER"); found {
		os.Exit(helpers[part]())
	}
	if _, err := process.CleanSignals(); err != nil {
		panic(err)
	}
	if err := process.CloseOnExec(); err != nil { // whatever runs the tests may have left some
		panic(err)
	}
	code := m.Run()
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		switch {
		case err == syscall.ECHILD:
			os.Exit(code)
		case pid == 0:
			fmt.Println("FAIL: a test left a process behind")
			os.Exit(1)
		}
	}
}

var helpers map[string]func() int

func init() {
	helpers = map[string]func() int{
		"exit":        helpExit,
		"descriptors": helpDescriptors,
		"orphan":      helpOrphan,
		"hold":        helpHold,
		"careless":    helpCareless,
		"escape":      helpEscape,
		"nurse":       helpNurse,
		"storm":       helpStorm,
		"crowd":       helpCrowd,
		"cat":         helpCat,
		"dirty":       helpDirty,
		"acceptor":    helpAcceptor,
		"leave":       helpLeave,
		"untraceable": helpUntraceable,
		"lookout":     helpLookout,
	}
}

// helper is this test binary in one of its parts.
func helper(part string, args ...string) process.Spec {
	env := []string{"HELPER=" + part, "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH")}
	return process.Spec{
		Path: self(), Args: append([]string{"helper"}, args...), Env: env,
		Stdout: 1, Stderr: 2, Umask: -1,
	}
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// throughStub makes the start of spec need the stub, and changes nothing else.
func throughStub(spec process.Spec) process.Spec {
	mask := unix.Umask(0)
	unix.Umask(mask)
	spec.Umask = mask
	return spec
}

// bothWays runs a test for a direct start and one through the stub.
func bothWays(t *testing.T, test func(t *testing.T, way func(process.Spec) process.Spec)) {
	t.Run("direct", func(t *testing.T) { test(t, func(s process.Spec) process.Spec { return s }) })
	t.Run("stub", func(t *testing.T) { test(t, throughStub) })
}

func newTable(t testing.TB) *process.Table {
	t.Helper()
	table := process.NewTable()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- table.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return table
}

// watch hands on what it is told.
type watch struct {
	process *process.Process
	calls   chan string
	exit    process.Exit
}

func newWatch() *watch { return &watch{calls: make(chan string, 4)} }

func (w *watch) Spawned(p *process.Process) { w.process = p; w.calls <- "spawned" }
func (w *watch) Execed()                    { w.calls <- "execed" }
func (w *watch) Exited(e process.Exit)      { w.exit = e; w.calls <- "exited" }
func (w *watch) Emptied()                   { w.calls <- "emptied" }

// await fails unless these are the very next calls.
func (w *watch) await(t testing.TB, calls ...string) {
	t.Helper()
	for _, want := range calls {
		select {
		case got := <-w.calls:
			if got != want {
				t.Fatalf("watch was told %s, want %s (%+v)", got, want, w.exit)
			}
		case <-time.After(time.Minute):
			t.Fatalf("watch was not told %s", want)
		}
	}
}

func start(t testing.TB, table *process.Table, spec process.Spec) *watch {
	t.Helper()
	w := newWatch()
	if err := table.Start(spec, w); err != nil {
		t.Fatalf("Start: %v", err)
	}
	w.await(t, "spawned")
	return w
}

// run runs a command to its end.
func run(t testing.TB, table *process.Table, spec process.Spec) process.Exit {
	t.Helper()
	w := start(t, table, spec)
	w.await(t, "execed", "exited", "emptied")
	return w.exit
}

// output runs a command to its end, which must be a good one, and returns what
// it wrote.
func output(t testing.TB, table *process.Table, spec process.Spec) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	spec.Stdout = int(w.Fd())
	started := start(t, table, spec)
	w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	started.await(t, "execed", "exited", "emptied")
	if e := started.exit; e != (process.Exit{}) {
		t.Fatalf("%v ended with %+v: %s", spec.Args, e, b)
	}
	return string(b)
}

// cat prints files as one sees them that the kernel has just executed: a Go
// program has changed its limits and signals before it can look.
func cat(files ...string) process.Spec {
	return process.Spec{Path: "/bin/cat", Args: append([]string{"cat"}, files...), Stdout: 1, Stderr: 2, Umask: -1}
}

// field returns the rest of the line of text that starts with name.
func field(t testing.TB, text, name string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, name); found {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	t.Fatalf("no %q in %s", name, text)
	return ""
}

// line is one end of a socket pair: a helper with the other one as its standard
// output says things and waits for answers.
type line struct {
	*os.File
	lines *bufio.Reader
}

func newLine(t testing.TB) (ours *line, theirs int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "line")
	t.Cleanup(func() { f.Close() })
	return &line{f, bufio.NewReader(f)}, fds[1]
}

func (l *line) hear(t testing.TB) string {
	t.Helper()
	s, err := l.lines.ReadString('\n')
	if err != nil {
		t.Fatalf("helper said nothing: %v", err)
	}
	return strings.TrimSpace(s)
}

func (l *line) ended(t testing.TB) {
	t.Helper()
	if b, err := io.ReadAll(l.lines); err != nil || len(b) > 0 {
		t.Fatalf("helper said %q, %v; want that it ended", b, err)
	}
}

func helpExit() int {
	if len(os.Args) < 2 {
		return 0
	}
	code, _ := strconv.Atoi(os.Args[1])
	return code
}

// helpDescriptors says which descriptors were inherited, and the environment.
func helpDescriptors() int {
	fmt.Println(inherited(), os.Getpid(), os.Getenv("LISTEN_PID"), os.Getenv(stub.Variable))
	return 0
}

// inherited are the descriptors that are not closed on exec, which this
// program's own are.
func inherited() []int {
	var fds []int
	for fd := range 1024 {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds = append(fds, fd)
		}
	}
	return fds
}

// fork starts a helper as this one's own child, in its group.
func fork(part string) int {
	os.Setenv("HELPER", part)
	pid, err := syscall.ForkExec(self(), []string{"helper"}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		panic(err)
	}
	return pid
}

// helpHold says that it is there, and stays until the line is cut.
func helpHold() int {
	signal.Ignore(syscall.SIGTERM)
	fmt.Println("holding", os.Getpid())
	io.ReadAll(os.Stdout)
	return 0
}

// helpOrphan leaves a helper behind.
func helpOrphan() int {
	fork(os.Args[1])
	return 7
}

// helpCareless ends after its child, which it never waits for.
func helpCareless() int {
	awaitEnd(fork("exit"))
	return 0
}

// awaitEnd returns when a process has ended, reaped or not.
func awaitEnd(pid int) {
	process, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	if err != nil {
		panic(err)
	}
	defer unix.Close(process)
	poll := []unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}
	for n := 0; n == 0; {
		if n, err = unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			panic(err)
		}
	}
}

// helpEscape is left behind outside of the group, with a child in the group
// that it never waits for.
func helpEscape() int {
	fork("hold")
	if err := syscall.Setpgid(0, 0); err != nil {
		panic(err)
	}
	fmt.Println("escaped", os.Getpid())
	io.ReadAll(os.Stdout)
	return 0
}

// helpNurse leaves even the session, but waits for the child it has in the
// group.
func helpNurse() int {
	pid := fork("hold")
	if _, err := syscall.Setsid(); err != nil {
		panic(err)
	}
	fmt.Println("escaped", os.Getpid())
	syscall.Wait4(pid, nil, 0, nil)
	fmt.Println("buried", pid)
	io.ReadAll(os.Stdout)
	return 0
}

// helpCrowd has many descriptors that it did not keep from its children.
func helpCrowd() int {
	for range 250 {
		if _, err := unix.Dup(0); err != nil {
			panic(err)
		}
	}
	before := len(inherited())
	if err := process.CloseOnExec(); err != nil {
		panic(err)
	}
	fmt.Println("before", before, "after", inherited())
	return 0
}

// helpCat runs cat with a table of its own, directly and through the stub, as
// the user and with the files that its arguments name.
func helpCat() int {
	if hup, err := process.CleanSignals(); err != nil {
		panic(err)
	} else if os.Getenv("HUP") != "" {
		fmt.Println("HupIgnored", hup)
	}
	table := process.NewTable()
	go table.Run(context.Background())
	specs := []process.Spec{cat(os.Args[2:]...), throughStub(cat(os.Args[2:]...))}
	if uid, err := strconv.Atoi(os.Args[1]); err == nil {
		specs[0].Credential = &process.Credential{UID: uint32(uid), GID: uint32(uid)}
	}
	for _, spec := range specs {
		w := newWatch()
		if err := table.Start(spec, w); err != nil {
			panic(err)
		}
		for call := range w.calls {
			if call == "emptied" {
				break
			}
		}
		if w.exit != (process.Exit{}) {
			fmt.Printf("%+v\n", w.exit)
			return 1
		}
	}
	return 0
}

// helpDirty becomes helpCat with USR2 blocked and HUP, INT, QUIT and TSTP
// ignored.
func helpDirty() int {
	runtime.LockOSThread()
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP)
	if os.Getenv("BLOCK") != "" {
		var set unix.Sigset_t
		set.Val[0] = 1 << (unix.SIGUSR2 - 1)
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
			panic(err)
		}
	}
	os.Setenv("HELPER", "cat")
	os.Setenv("HUP", "yes")
	panic(syscall.Exec(self(), os.Args, os.Environ()))
}

// storm is what helpStorm found.
type storm struct {
	Wrong, Zombies int
}

// helpStorm has a table of its own, so that it can count what nobody reaped.
func helpStorm() int {
	children, _ := strconv.Atoi(os.Args[1])
	table := process.NewTable()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- table.Run(ctx) }()

	var found storm
	slots := make(chan struct{}, 16)
	wrong := make(chan bool, children)
	for i := range children {
		slots <- struct{}{}
		spec, code := helper("exit", strconv.Itoa(i%256)), i%256
		if i%2 == 0 {
			spec, code = helper("orphan", "exit"), 7
		}
		if i%5 == 0 {
			spec = throughStub(spec)
		}
		w := newWatch()
		if err := table.Start(spec, w); err != nil {
			panic(err)
		}
		go func() {
			for call := range w.calls {
				if call == "emptied" {
					break
				}
			}
			wrong <- w.exit.Code != code || w.exit.Signal != 0 || w.exit.Err != nil
			<-slots
		}()
	}
	for range children {
		if <-wrong {
			found.Wrong++
		}
	}
	cancel()
	<-done
	for {
		_, err := syscall.Wait4(-1, nil, 0, nil)
		if errors.Is(err, syscall.ECHILD) {
			break
		}
		found.Zombies++
	}
	json.NewEncoder(os.Stdout).Encode(found)
	return 0
}

func write(t testing.TB, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}
