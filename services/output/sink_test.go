package output_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
)

// TestADestinationThatNobodyReadsHoldsOnlyItself floods standard output, which
// takes nothing: others go on, memory stays, and once it takes something again
// it is told how much is missing.
func TestADestinationThatNobodyReadsHoldsOnlyItself(t *testing.T) {
	hold := make(chan struct{})
	s := &site{dir: t.TempDir() + "/output", stdout: &screen{hold: hold}, stderr: &screen{}, troubles: &screen{}}
	s.open(t, s.stdout)
	free := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(free)

	before := heap()
	loud := s.start(t, service("loud", config.OutputPrefix), 1, "flood", "\n")
	more := s.start(t, service("more", config.OutputPrefix), 1, "flood", "\x01")
	file := filepath.Join(t.TempDir(), "quiet.log")
	s.start(t, service("quiet", config.Output(file)), 1, "say", "written all the same\n").wait(t)
	awaitFile(t, file, "written all the same\n")

	s.troubles.await(t, "standard output has taken nothing for 2s")
	lines, stop := s.follow("loud") // it is read again, though nobody takes it
	defer stop()
	for range 100 {
		<-lines.Wake
		lines.Take()
	}
	if grown := int64(heap()) - int64(before); grown > 16<<20 {
		t.Errorf("%d KiB more", grown>>10)
	}
	_ = loud.Process.Kill()
	_ = more.Process.Kill()
	if tail := loud.Tail(); len(tail) != 20 {
		t.Errorf("its tail has %d lines", len(tail))
	}

	free()
	got := s.stdout.await(t, "lines are missing here: it took nothing for a while\n")
	if missing := missing(t, got); missing == 0 {
		t.Error("nothing is missing")
	}
	s.troubles.await(t, "standard output works again; ")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// missing is how many lines a text says are missing.
func missing(t *testing.T, text string) (n int) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^hupwatch: (\d+) lines are missing here: `).FindAllStringSubmatch(text, -1) {
		i, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		n += i
	}
	return n
}

// A pipe that others have made non-blocking is full for most of the time here.
func TestAFullPipeThatIsNonBlockingIsWaitedFor(t *testing.T) {
	t.Parallel()
	const lines = 20000
	fds := make([]int, 2)
	if err := syscall.Pipe(fds); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w") // which are not polled by the runtime
	defer r.Close()
	if err := syscall.SetNonblock(fds[1], true); err != nil {
		t.Fatal(err)
	}
	s := &site{dir: t.TempDir() + "/output", stdout: &screen{}, stderr: &screen{}, troubles: &screen{}}
	s.open(t, w)
	child := s.start(t, service("web", config.OutputPrefix), 1, "count", "x", fmt.Sprint(lines))
	text := make(chan string)
	go func() { // ends with the pipe
		all, _ := io.ReadAll(slow{r})
		text <- string(all)
	}()
	child.wait(t)
	s.Close(time.Minute)
	w.Close()
	if got := strings.Count(<-text, "\n"); got != lines {
		t.Errorf("%d lines, want %d", got, lines)
	}
	s.quiet(t)
}

// TestASlowDestinationLosesNothing has a child wait for a reader that takes its
// time, but less than two seconds for each.
func TestASlowDestinationLosesNothing(t *testing.T) {
	t.Parallel()
	const lines = 20000
	r, w := pipe(t)
	s := &site{dir: t.TempDir() + "/output", stdout: &screen{}, stderr: &screen{}, troubles: &screen{}}
	s.open(t, w)
	child := s.start(t, service("web", config.OutputPrefix), 1, "count", "x", fmt.Sprint(lines))
	text := make(chan string)
	go func() { // ends with the pipe
		all, _ := io.ReadAll(slow{r})
		text <- string(all)
	}()
	child.wait(t)
	s.Close(time.Minute)
	w.Close()
	n := 0
	for line := range strings.Lines(<-text) {
		if want := "web | " + numbered("x", n) + "\n"; line != want {
			t.Fatalf("got %q, want %q", short(line), short(want))
		}
		n++
	}
	if n != lines {
		t.Errorf("%d lines, want %d", n, lines)
	}
	s.quiet(t)
}

// slow is a reader that takes little at a time.
type slow struct{ io.Reader }

func (s slow) Read(p []byte) (int, error) {
	<-time.After(time.Millisecond)
	return s.Reader.Read(p[:min(len(p), 16<<10)])
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// TestADescriptorThatSomebodyMadeNonBlockingIsStillWrittenTo is about programs
// that do so to a standard output they share with hupwatch.
func TestADescriptorThatSomebodyMadeNonBlockingIsStillWrittenTo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Close(time.Second)
	full := &again{screen: s.stdout, times: 3}
	s.open(t, full)
	s.start(t, service("web", config.OutputPrefix), 1, "say", "text\n").wait(t)
	s.stdout.await(t, "web | text\n")
	s.quiet(t)
}

type again struct {
	*screen
	times int
}

func (a *again) Write(p []byte) (int, error) {
	if a.times--; a.times >= 0 {
		n, _ := a.screen.Write(p[:1])
		return n, &os.PathError{Op: "write", Path: "|1", Err: syscall.EAGAIN}
	}
	return a.screen.Write(p)
}

// broken is a destination that fails, in the middle of a line at that.
type broken struct {
	*screen
	mu  sync.Mutex
	err error
}

func (b *broken) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		n, _ := b.screen.Write(p[:3])
		return n, b.err
	}
	return b.screen.Write(p)
}

func (b *broken) set(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func TestWhatCouldNotBeWrittenIsCountedAndSaidOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Close(time.Second)
	b := &broken{screen: s.stdout}
	s.open(t, b)
	child := s.start(t, service("web", config.OutputPrefix), 1, "outlive")
	lines, stop := s.follow("web")
	defer stop()
	b.set(errors.New("it is on fire"))
	for range 5 {
		child.say(t, "lost")
		<-lines.Wake
	}
	s.troubles.await(t, "standard output: it is on fire")
	b.set(nil)
	child.say(t, "good")
	got := s.stdout.await(t, "web | good\n")
	n := missing(t, got) // the last ones may have come through
	if n == 0 || n+strings.Count(got, "web | lost\n") != 5 {
		t.Errorf("%d of 5 lines are said to be missing: %q", n, got)
	}
	s.troubles.await(t, fmt.Sprintf("standard output works again; %d lines were lost\n", n))
	if text, _ := s.troubles.look(); strings.Count(text, "on fire") != 1 {
		t.Errorf("it was said more than once: %s", text)
	}
}

func TestTheEndWaitsNoLongerThanItsPatience(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	s := &site{dir: t.TempDir() + "/output", stdout: &screen{hold: hold}, stderr: &screen{}, troubles: &screen{}}
	s.open(t, s.stdout)
	t.Cleanup(func() { close(hold) })
	lines, stop := s.follow("loud")
	defer stop()
	s.start(t, service("loud", config.OutputPrefix), 1, "flood", "text\n")
	<-lines.Wake
	file := filepath.Join(t.TempDir(), "quiet.log")
	quiet := s.start(t, service("quiet", config.Output(file)), 1, "say", "text\n")
	quiet.wait(t)
	begun := time.Now()
	s.Close(300 * time.Millisecond)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	awaitFile(t, file, "text\n")
	s.troubles.await(t, "standard output takes nothing: not all that services wrote has got there")
}

// awaitFile waits until a file has a text.
func awaitFile(t testing.TB, path, text string) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		got, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(got), text) {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-timeout:
			t.Fatalf("%s has %q, %v; want %q", path, short(string(got)), err, text)
		}
	}
}
