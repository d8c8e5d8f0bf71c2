package task_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

// The tests run one after the other: what a table reaps is every child of the
// whole program, so there can be one table at a time. Their children are shells.
func TestMain(m *testing.M) {
	if _, err := process.CleanSignals(); err != nil {
		panic(err)
	}
	if err := process.CloseOnExec(); err != nil { // whatever runs the tests may have left some
		panic(err)
	}
	code := m.Run()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid == 0 && err == nil {
		fmt.Println("FAIL: a test left a process behind")
		code = 1
	}
	os.Exit(code)
}

// newTable also awaits, at the end of the test, that all its children are gone.
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
		for pid := 1; pid > 0; { // they were killed, or are about to end
			pid, _ = syscall.Wait4(-1, nil, 0, nil)
		}
	})
	return table
}

// sh is a shell with a script.
func sh(script string) process.Spec {
	return process.Spec{
		Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")},
		Stdout: -1, Stderr: -1, Umask: -1,
	}
}

// throughStub makes the start of spec need the stub, and changes nothing else.
func throughStub(spec process.Spec) process.Spec {
	mask := unix.Umask(0)
	unix.Umask(mask)
	spec.Umask = mask
	return spec
}

// line is one end of a socket pair. Who has the other one can say things and be
// answered, and when nobody has it any more the line has ended.
type line struct {
	*os.File
	lines *bufio.Reader
}

// newLine gives the other end to who is started.
func newLine(t testing.TB) (ours *line, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	f, theirs := os.NewFile(uintptr(fds[0]), "line"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { f.Close(); theirs.Close() })
	if err := f.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &line{f, bufio.NewReader(f)}, theirs
}

func (l *line) hear(t testing.TB, want string) {
	t.Helper()
	got, err := l.lines.ReadString('\n')
	if err != nil || strings.TrimSpace(got) != want {
		t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
}

func (l *line) say(t testing.TB, text string) {
	t.Helper()
	if _, err := fmt.Fprintln(l, text); err != nil {
		t.Fatal(err)
	}
}

func (l *line) ended(t testing.TB) {
	t.Helper()
	if b, err := io.ReadAll(l.lines); err != nil || len(b) > 0 {
		t.Fatalf("heard %q, %v, want that nobody is there", b, err)
	}
}
