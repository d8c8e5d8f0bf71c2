package process_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

func TestChildrenGetStandardDescriptorsAndSocketsOnly(t *testing.T) {
	table := newTable(t)
	for _, n := range []int{0, 1, 5} {
		spec := helper("descriptors")
		want := []int{0, 1, 2}
		for i := range n {
			spec.Sockets = append(spec.Sockets, listener(t))
			want = append(want, 3+i)
		}
		if out := output(t, table, spec); !strings.HasPrefix(out, fmt.Sprint(want)) {
			t.Errorf("with %d sockets: %s, want %v", n, out, want)
		}
	}
}

// listener opens a socket as services/sockets does.
func listener(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Listen(fd, 5); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestListenPIDIsTheChildsOwn(t *testing.T) {
	spec := helper("descriptors")
	spec.Sockets = []int{listener(t)}
	spec.Env = append(spec.Env, "LISTEN_PID=1", "HUPWATCH_STUB=3")
	out := strings.Fields(strings.TrimPrefix(output(t, newTable(t), spec), "[0 1 2 3]"))
	if len(out) != 2 || out[0] != out[1] {
		t.Errorf("pid and LISTEN_PID are %v, want them the same and no trace of the stub", out)
	}
}

func TestSocketsStayNonBlocking(t *testing.T) {
	fd := listener(t)
	spec := helper("descriptors")
	spec.Sockets = []int{fd}
	output(t, newTable(t), spec)
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	flags, err := strconv.ParseInt(field(t, string(info), "flags:"), 8, 64)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags of a socket that a child has: %o, %v; want %o among them", flags, err, unix.O_NONBLOCK)
	}
}

func TestInheritedDescriptorsAreKeptFromChildren(t *testing.T) {
	out := output(t, newTable(t), helper("crowd"))
	if want := "before 253 after [0 1 2]\n"; out != want {
		t.Errorf("descriptors for children: %q, want %q", out, want)
	}
}

func TestChildHasItsLimitsUmaskAndBadness(t *testing.T) {
	badness := 345
	spec := cat("/proc/self/status", "/proc/self/limits", "/proc/self/oom_score_adj")
	spec.Umask, spec.OOMScoreAdj = 0o27, &badness
	spec.Limits = []process.Limit{
		{Resource: unix.RLIMIT_NOFILE, Soft: 77, Hard: 99},
		{Resource: unix.RLIMIT_CORE, Soft: 0, Hard: math.MaxUint64},
		{Resource: unix.RLIMIT_NPROC, Soft: 1000, Hard: 2000},
		{Resource: unix.RLIMIT_AS, Soft: 1 << 26, Hard: 1 << 26}, // far less than a Go program has,
	}
	out := output(t, newTable(t), spec)
	for name, want := range map[string]string{
		"Umask:":            "0027",
		"Max open files":    "77 99 files",
		"Max core file":     "size 0 unlimited bytes",
		"Max processes":     "1000 2000 processes",
		"Max address space": "67108864 67108864 bytes",
	} {
		if got := field(t, out, name); got != want {
			t.Errorf("%s %s, want %s", name, got, want)
		}
	}
	if !strings.HasSuffix(out, "\n345\n") {
		t.Errorf("oom_score_adj is not 345: %s", out)
	}
}

func TestChildHasTheOpenFilesThatHupwatchWasStartedWith(t *testing.T) {
	spec := helper("cat", "", "/proc/self/limits")
	spec.Limits = []process.Limit{{Resource: unix.RLIMIT_NOFILE, Soft: 1024, Hard: 4096}}
	out := output(t, newTable(t), spec)
	if n := strings.Count(strings.Join(strings.Fields(out), " "), "Max open files 1024 4096 files"); n != 2 {
		t.Errorf("%d of two children have 1024 open files: %s", n, out)
	}
}

func TestChildRunsAsItsUserThoughHupwatchIsPrivate(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root runs services as another user")
	}
	binary, err := os.ReadFile(self())
	if err != nil {
		t.Fatal(err)
	}
	private := write(t, "hupwatch", string(binary), 0o700)
	spec := helper("cat", "65534", "/proc/self/status")
	spec.Path = private
	spec.Credential = &process.Credential{Groups: []uint32{11, 12}} // of the daemon: none of these may be left
	out := output(t, newTable(t), spec)
	for name, want := range map[string]string{
		"Uid:": "65534 65534 65534 65534", "Gid:": "65534 65534 65534 65534", "Groups:": "", "CapEff:": "0000000000000000",
	} {
		if got := field(t, out, name); got != want {
			t.Errorf("%s %s, want %s", name, got, want)
		}
	}
}

func TestChildHasExactlyItsGroups(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root runs services as another user")
	}
	spec := cat("/proc/self/status")
	spec.Credential = &process.Credential{UID: 65534, GID: 65533, Groups: []uint32{65533, 7, 9}}
	out := output(t, newTable(t), spec)
	if got := field(t, out, "Groups:"); got != "7 9 65533" {
		t.Errorf("groups %s, want 7 9 65533", got)
	}
	if got := field(t, out, "Gid:"); got != "65533 65533 65533 65533" {
		t.Errorf("gid %s, want 65533", got)
	}
}

func TestChildHasCleanSignals(t *testing.T) {
	table := newTable(t)
	for _, block := range []string{"", "BLOCK=yes"} {
		spec := helper("dirty", "", "/proc/self/status")
		spec.Env = append(spec.Env, block)
		out := output(t, table, spec)
		if got := field(t, out, "HupIgnored"); got != "true" {
			t.Errorf("%s HUP was ignored: %s, want true", block, got)
		}
		for _, name := range []string{"SigBlk", "SigIgn"} {
			if n := strings.Count(out, name+":\t0000000000000000\n"); n != 2 {
				t.Errorf("%s %s is not empty in %d of two children: %s", block, name, 2-n, out)
			}
		}
	}
}

func TestLargeEnvironmentArrives(t *testing.T) {
	spec := throughStub(cat("/proc/self/environ"))
	for i := range 100 {
		spec.Env = append(spec.Env, fmt.Sprintf("V%d=%s", i, strings.Repeat("x", 10_000)))
	}
	if got, want := output(t, newTable(t), spec), strings.Join(spec.Env, "\x00")+"\x00"; got != want {
		t.Errorf("environment of %d bytes, want %d", len(got), len(want))
	}
}

func TestExecErrorsSayWhatAndWhy(t *testing.T) {
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	noInterpreter := write(t, "script", "#!/nowhere/perl\n", 0o755)
	noFirstLine := write(t, "script", "echo\n", 0o755)
	noProgram := write(t, "text", "#!/bin/cat\n", 0o644)
	busy := write(t, "busy", "#!/bin/cat\n", 0o755)
	f, err := os.OpenFile(busy, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	tests := map[string]struct {
		change func(*process.Spec)
		errno  syscall.Errno
		text   string
	}{
		"no program":        {func(s *process.Spec) { s.Path = "/nowhere" }, syscall.ENOENT, "exec /nowhere: no such file or directory"},
		"a directory":       {func(s *process.Spec) { s.Path = dir }, syscall.EACCES, "exec " + dir + ": permission denied ("},
		"not executable":    {func(s *process.Spec) { s.Path = noProgram }, syscall.EACCES, "execute the file"},
		"no interpreter":    {func(s *process.Spec) { s.Path = noInterpreter }, syscall.ENOENT, "interpreter"},
		"no first line":     {func(s *process.Spec) { s.Path = noFirstLine }, syscall.ENOEXEC, "exec format error (a script without a #! line"},
		"being written":     {func(s *process.Spec) { s.Path = busy }, syscall.ETXTBSY, "text file busy ("},
		"no directory":      {func(s *process.Spec) { s.Dir = "/nowhere" }, syscall.ENOENT, "change to directory /nowhere: no such"},
		"a file as one":     {func(s *process.Spec) { s.Dir = noProgram }, syscall.ENOTDIR, "change to directory " + noProgram},
		"too long":          {func(s *process.Spec) { s.Args = append(s.Args, strings.Repeat("x", 1<<20)) }, syscall.E2BIG, "too long"},
		"a loop":            {func(s *process.Spec) { s.Path = loop(t) }, syscall.ELOOP, "too many levels"},
		"an impossible one": {func(s *process.Spec) { s.Limits = impossible }, syscall.EINVAL, "set limit cpu: invalid argument"},
		"a forbidden one": {
			func(s *process.Spec) { s.Dir = closed; s.Credential = &process.Credential{UID: 65534, GID: 65534} },
			syscall.EACCES, "change to directory " + closed + ": permission denied (its user",
		},
	}
	if os.Getuid() != 0 {
		delete(tests, "a forbidden one")
	}
	table := newTable(t)
	bothWays(t, func(t *testing.T, way func(process.Spec) process.Spec) {
		for name, test := range tests {
			spec := way(cat("/dev/null"))
			test.change(&spec)
			w := start(t, table, spec)
			w.await(t, "exited", "emptied")
			var e *process.ExecError
			if !errors.As(w.exit.Err, &e) || e.Errno != test.errno || !strings.Contains(e.Error(), test.text) {
				t.Errorf("%s: %v, want %q", name, w.exit.Err, test.text)
			}
			if w.exit.Code != 127 {
				t.Errorf("%s: exit code %d, want 127", name, w.exit.Code)
			}
		}
	})
}

var impossible = []process.Limit{{Name: "cpu", Resource: unix.RLIMIT_CPU, Soft: 2, Hard: 1}}

func loop(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink(path, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHungExecBlocksNobody has the kernel hold back an exec for real, by a lease on the
// file: until that is given back, nobody else can open it.
func TestHungExecBlocksNobody(t *testing.T) {
	table := newTable(t)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGIO)
	defer signal.Stop(broken)
	hang := func() (*watch, *os.File) {
		program := write(t, "program", "#!/bin/cat\n", 0o755)
		f, err := os.OpenFile(program, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
			t.Skipf("no leases here: %v", err)
		}
		spec := throughStub(cat())
		spec.Path = program
		spec.Stdout = -1
		w := start(t, table, spec)
		<-broken // the exec has come to the file
		return w, f
	}

	w, f := hang()
	run(t, table, cat("/dev/null")) // meanwhile everything goes on
	run(t, table, throughStub(cat("/dev/null")))
	if err := w.process.Signal(0); err != nil {
		t.Errorf("Signal: %v", err)
	}
	select {
	case call := <-w.calls:
		t.Fatalf("%s during a hung exec", call)
	default:
	}
	f.Close()
	w.await(t, "execed", "exited", "emptied")

	w, _ = hang()
	if err := w.process.SignalGroup(syscall.SIGKILL); err != nil {
		t.Errorf("SignalGroup: %v", err)
	}
	w.await(t, "exited", "emptied")
	if want := (process.Exit{Code: -1, Signal: syscall.SIGKILL, Err: process.ErrNotExecuted}); w.exit != want {
		t.Errorf("exit %+v, want %+v", w.exit, want)
	}
}
