package output_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/mailbox"
	"hupwatch/services/output"
	"hupwatch/services/process"
)

func TestEachLineSaysWhoseItIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t, service("web", config.OutputPrefix), 1, "say", "one\n", "!two\n", "thr", "ee\r\n", "\n\x1b[31m", "last").wait(t)
	s.Close(10 * time.Second)
	want := "web | one\nweb | two\nweb | three\nweb | \nweb | \\x1b[31mlast\n"
	if got, _ := s.stdout.look(); got != want {
		t.Errorf("standard output has %q, want %q", got, want)
	}
	if got, _ := s.stderr.look(); got != "" {
		t.Errorf("standard error has %q", got)
	}
	if left := s.fifos(t); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	s.quiet(t)
}

func TestStandardErrorCanGoApart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := service("web", config.OutputPrefix)
	c.Stderr = config.OutputPrefix
	child := s.start(t, c, 1, "say", "one\n", "!two\n", "three")
	child.wait(t)
	if tail := child.Tail(); len(tail) != 3 {
		t.Errorf("the tail is %q", tail)
	}
	s.stdout.await(t, "web | three\n")
	s.stderr.await(t, "web | two\n")
	for _, line := range s.lines("web", -1) {
		if want := map[string]output.Stream{"one": output.Out, "two": output.Err, "three": output.Out}[line.Text]; line.Stream != want {
			t.Errorf("%q came from %s", line.Text, line.Stream)
		}
	}
}

// The old generation writes a line for each request, and what the new one says is lost
// among them.
func TestAllThatAGenerationSaidBeforeItServedIsKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := service("web", config.OutputPrefix)
	old, err := s.Open(c, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	old.Settle()
	bad := s.start(t, c, 2, "say", strings.Repeat("a\n", 100)+"ValueError: 7\n"+strings.Repeat("z\n", 100))
	bad.wait(t)
	tail := bad.Tail()
	stdout, _ := old.Descriptors()
	for i := range 3000 {
		if _, err := syscall.Write(stdout, []byte(numbered("old", i)+"\n")); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			old.Tail() // which reads what is there
		}
	}
	old.Forked()
	if all := s.lines("web", -1); slices.ContainsFunc(all, func(l output.Line) bool { return l.Generation == 2 }) {
		t.Fatal("the old one has left room for the lines of the new one, nothing was tried")
	}
	if !slices.Contains(tail, "ValueError: 7") || tail[len(tail)-1] != "z" {
		t.Errorf("the tail is %q", tail)
	}
	if lines := s.Of("web", 2); len(lines) != 201 || lines[100].Text != "ValueError: 7" || lines[0].Service != "web" {
		t.Errorf("%d lines are kept: %v", len(lines), lines)
	}
	next := s.start(t, c, 3, "say", "one\n")
	next.wait(t)
	next.Tail()
	if lines := s.Of("web", 2); len(lines) > 0 {
		t.Errorf("those of the last but one are kept: %v", lines)
	}
	next.Settle()
	next.Settle()
	if lines := s.Of("web", 3); len(lines) != 1 || lines[0].Text != "one" {
		t.Errorf("of one that serves: %v", lines)
	}
	s.Forget("web")
	if lines := s.Of("web", 3); len(lines) > 0 {
		t.Errorf("of one that is forgotten: %v", lines)
	}
}

func TestInstancesAreNumberedFromTheSecondOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for instance := range 2 {
		capture, err := s.Open(service("web", config.OutputPrefix), 1, instance, nil)
		if err != nil {
			t.Fatal(err)
		}
		launch(t, capture, exec.Command(self(t), fmt.Sprintln("instance", instance)), "say").wait(t)
	}
	s.stdout.await(t, "web | instance 0\n")
	s.stdout.await(t, "web.1 | instance 1\n")
}

func TestWhatIsNotCapturedTakesNoFIFO(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, test := range []struct {
		output, stderr config.Output
		want           [2]int
	}{
		{config.OutputInherit, "", [2]int{1, 2}},
		{config.OutputNull, "", [2]int{-1, -1}},
		{config.OutputInherit, config.OutputNull, [2]int{1, -1}},
		{config.OutputNull, config.OutputInherit, [2]int{-1, 2}},
	} {
		c := service("web", test.output)
		c.Stderr = test.stderr
		capture, err := s.Open(c, 1, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if stdout, stderr := capture.Descriptors(); stdout != test.want[0] || stderr != test.want[1] {
			t.Errorf("output %q, stderr %q: got %d and %d", test.output, test.stderr, stdout, stderr)
		}
		capture.Forked()
		if tail := capture.Tail(); len(tail) > 0 {
			t.Errorf("it has the tail %q", tail)
		}
	}
	if left := s.fifos(t); len(left) > 0 {
		t.Errorf("there is %v", left)
	}
}

// TestTheLastWordsAreInTheTailAtOnce writes and looks, with nothing between but
// the poller, which may come at any time.
func TestTheLastWordsAreInTheTailAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 2000 {
		capture, err := s.Open(service("web", config.OutputPrefix), i, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		stdout, _ := capture.Descriptors()
		words := fmt.Sprintf("first\nlast words %d", i)
		if _, err := syscall.Write(stdout, []byte(words)); err != nil {
			t.Fatal(err)
		}
		capture.Forked() // which was the last writer
		if tail := strings.Join(capture.Tail(), "\n"); tail != words {
			t.Fatalf("generation %d left %q", i, tail)
		}
	}
}

func TestTheLastWordsOfAProcessAreInTheTailOfItsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 30 {
		child := s.start(t, service("web", config.OutputPrefix), i, "say", "starting\n", strings.Repeat("x", 5000)+"\n", "!Traceback\nno such module")
		child.wait(t)
		tail := child.Tail()
		if n := len(tail); n < 2 || tail[n-1] != "no such module" || tail[n-2] != "Traceback" {
			t.Fatalf("the tail is %q", tail)
		}
	}
}

func TestATailHasTwentyLinesAndFourKiB(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, test := range []struct {
		text, first string
		lines       int
	}{
		{strings.Repeat("short\n", 100) + "last\n", "short", 20},
		{strings.Repeat(strings.Repeat("x", 999)+"\n", 10), strings.Repeat("x", 999), 4},
		{"first\n" + strings.Repeat("\x01", 1500), strings.Repeat(`\x01`, 1024), 1},
		{"first\n" + strings.Repeat("€", 2000) + "\n", strings.Repeat("€", 1365), 1},
	} {
		child := s.start(t, service("web", config.OutputPrefix), i, "say", test.text)
		child.wait(t)
		tail := child.Tail()
		size := len(strings.Join(tail, ""))
		if len(tail) != test.lines || tail[0] != test.first || size > 4096 {
			t.Errorf("%q...: %d lines, %d bytes, the first one %q", test.text[:10], len(tail), size, short(tail[0]))
		}
	}
}

func TestTwoGenerationsWriteAtOnce(t *testing.T) {
	t.Parallel()
	const lines = 3000
	s := newSite(t)
	var children []*child
	for generation, name := range []string{"old", "new"} {
		children = append(children, s.start(t, service("web", config.OutputPrefix), generation, "count", name, fmt.Sprint(lines)))
	}
	for i, c := range children {
		c.wait(t)
		name := []string{"old", "new"}[i]
		if tail := c.Tail(); len(tail) == 0 || tail[len(tail)-1] != numbered(name, lines-1)[:min(4096, len(numbered(name, lines-1)))] {
			t.Errorf("the tail of the %s one is %q", name, short(strings.Join(tail, "\n")))
		}
	}
	s.Close(10 * time.Second)
	got, _ := s.stdout.look()
	next := map[string]int{}
	for line := range strings.Lines(got) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "web | "), " ")
		if want := "web | " + numbered(name, next[name]) + "\n"; line != want {
			t.Fatalf("got %q, want %q", short(line), short(want))
		}
		next[name]++
	}
	if next["old"] != lines || next["new"] != lines {
		t.Errorf("got %v lines, want %d", next, lines)
	}
}

// TestAProcessOutlivesHupwatch is why there are FIFOs: a process that writes to
// a pipe dies with who reads it.
func TestAProcessOutlivesHupwatch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	child := s.start(t, service("web", config.OutputPrefix), 7, "outlive")
	child.say(t, "before")
	s.stdout.await(t, "web | before\n")
	s.Close(10 * time.Second)
	child.say(t, "meanwhile")
	if left := s.fifos(t); !slices.Equal(left, []string{"web.7.0.out"}) {
		t.Fatalf("there is %v", left)
	}
	if err := syscall.Mkfifo(filepath.Join(s.dir, "dead.1.0.out"), 0o600); err != nil {
		t.Fatal(err)
	}

	// The next hupwatch goes on.
	s.open(t, s.stdout)
	if left := s.fifos(t); !slices.Equal(left, []string{"web.7.0.out"}) {
		t.Errorf("there is %v, want only what somebody holds", left)
	}
	capture, err := s.Adopt(service("web", config.OutputPrefix), 7, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.stdout.await(t, "web | before\nweb | meanwhile\n")
	child.say(t, "afterwards")
	s.stdout.await(t, "web | afterwards\n")
	child.stdin.Close()
	if err := child.Wait(); child.ProcessState.ExitCode() != 42 {
		t.Errorf("the process ended with %v", err)
	}
	if tail := capture.Tail(); !slices.Equal(tail, []string{"meanwhile", "afterwards"}) {
		t.Errorf("the tail is %q", tail)
	}
	s.Close(10 * time.Second)
	if left := s.fifos(t); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	s.quiet(t)
}

func TestAdoptNoticesAProcessThatHasDied(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := filepath.Join(s.dir, "web.1.0.out")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	capture, err := s.Adopt(service("web", config.OutputPrefix), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	capture.Tail()
	if left := s.fifos(t); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestAServiceMayOpenItsOutputAnew(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can run it as somebody else")
	}
	for _, dir := range []bool{true, false} {
		s := newSite(t)
		if !dir {
			s.dir = ""
			s.open(t, s.stdout)
		}
		capture, err := s.Open(service("web", config.OutputPrefix), 1, 0, &process.Credential{UID: 65534, GID: 65534})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(public(t))
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		launch(t, capture, cmd, "reopen").wait(t)
		s.stdout.await(t, "web | uid 65534 wrote this\n")
	}
}

// public is this program where everybody may execute it. It is not copied: a
// program that some fork still has open for writing cannot be executed.
func public(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hupwatch") //nolint:usetesting // t.TempDir is for the owner only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "helper")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Link(self(t), path)); err != nil {
		t.Skip(err)
	}
	return path
}

func TestAFIFOIsGoneWithItsLastWriter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	child := s.start(t, service("web", config.OutputPrefix), 1, "outlive")
	if left := s.fifos(t); !slices.Equal(left, []string{"web.1.0.out"}) {
		t.Errorf("there is %v", left)
	}
	child.stdin.Close()
	_ = child.Wait()
	child.Tail()
	if left := s.fifos(t); len(left) > 0 {
		t.Errorf("there is %v", left)
	}
}

func TestDirectoryOfFIFOsThatWasRemovedIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.start(t, service("web", config.OutputPrefix), 1, "outlive")
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	next := s.start(t, service("web", config.OutputPrefix), 2, "outlive")
	if made := s.fifos(t); !slices.Equal(made, []string{"web.2.0.out"}) {
		t.Errorf("there is %v", made)
	}
	for _, c := range []*child{first, next} {
		c.stdin.Close()
		_ = c.Wait()
		c.Tail()
	}
}

func TestAFIFOThatCannotBeMadeIsAnErrorAndLeavesNothing(t *testing.T) {
	s := newSite(t)
	if err := errors.Join(os.RemoveAll(s.dir), os.WriteFile(s.dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for range 10 {
		if _, err := s.Open(service("web", config.OutputPrefix), 1, 0, nil); !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("got %v", err)
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are left open", after-before)
	}
	s.Close(time.Second)
	if _, err := s.Open(service("web", config.OutputPrefix), 1, 0, nil); err == nil {
		t.Error("a closed hub opens")
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// follow returns what a service writes from now on, lines what it wrote last.
func (s *site) follow(service string) (box *mailbox.Box[output.Line], stop func()) {
	_, box, stop = s.Recall(service, 0)
	return box, stop
}

func (s *site) lines(service string, n int) []output.Line {
	past, _, stop := s.Recall(service, n)
	stop()
	return past
}

func TestLinesAreKeptAndFollowed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, stopOne := s.follow("web")
	other, stopOther := s.follow("db")
	last, stopLast := s.follow("web")
	defer stopLast()
	begun := time.Now()
	s.start(t, service("web", config.OutputPrefix), 3, "say", "a\nb\x07\nc\n").wait(t)
	s.stdout.await(t, "web | c\n")

	lines := s.lines("web", 2)
	if len(lines) != 2 || lines[0].Text != `b\x07` || lines[1].Text != "c" {
		t.Fatalf("the last two lines are %+v", lines)
	}
	l := lines[0]
	if l.Service != "web" || l.Generation != 3 || l.Instance != 0 || l.Stream != output.Out || l.Time.Before(begun.Truncate(time.Millisecond)) || l.Time.After(time.Now()) {
		t.Errorf("got %+v", l)
	}
	<-one.Wake
	followed, _, _ := one.Take()
	if len(followed) != 3 || !slices.Equal(followed[1:], lines) {
		t.Errorf("followed\n%+v", followed)
	}
	if lines, _, _ := other.Take(); len(lines) > 0 {
		t.Errorf("who followed another service got %+v", lines)
	}

	stopOne()
	stopOther()
	s.start(t, service("web", config.OutputPrefix), 4, "say", "d\n").wait(t)
	s.stdout.await(t, "web | d\n")
	if lines, _, closed := one.Take(); len(lines) > 0 || !closed {
		t.Errorf("who stopped got %+v, closed %v", lines, closed)
	}
	s.Forget("web")
	if lines := s.lines("web", -1); len(lines) > 0 {
		t.Errorf("of what was forgotten there is %+v", lines)
	}
	s.Close(time.Second)
	if _, _, closed := last.Take(); !closed {
		t.Error("the box is open after the end")
	}
}

func TestFollowerOfAForgottenServiceGetsItsNewLines(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	box, stop := s.follow("web")
	defer stop()
	s.start(t, service("web", config.OutputPrefix), 1, "say", "a\n").wait(t)
	s.stdout.await(t, "web | a\n")
	s.Forget("web")
	if lines := s.lines("web", -1); len(lines) > 0 {
		t.Errorf("of what was forgotten there is %+v", lines)
	}
	s.start(t, service("web", config.OutputPrefix), 2, "say", "b\n").wait(t)
	s.stdout.await(t, "web | b\n")
	if lines, _, _ := box.Take(); len(lines) != 2 || lines[1].Text != "b" {
		t.Errorf("who followed it got %+v", lines)
	}
}

func TestAFollowerWhoDoesNotKeepUpIsToldWhatItLost(t *testing.T) {
	t.Parallel()
	const lines = 10000
	s := newSite(t)
	box, stop := s.follow("web")
	defer stop()
	s.start(t, service("web", config.OutputPrefix), 1, "count", "x", fmt.Sprint(lines)).wait(t)
	s.stdout.await(t, fmt.Sprintf("x %d ", lines-1))
	got, lost, _ := box.Take()
	for len(got)+lost < lines { // the last ones are on the way
		<-box.Wake
		more, missed, _ := box.Take()
		got, lost = append(got, more...), lost+missed
	}
	if len(got)+lost != lines || lost == 0 {
		t.Errorf("got %d lines, lost %d, of %d", len(got), lost, lines)
	}
	size := 0
	for _, l := range s.lines("web", -1) {
		size += len(l.Text)
	}
	if size > 64<<10 || size < 50<<10 {
		t.Errorf("%d bytes are kept", size)
	}
}

// A question that ends in no newline was not shown before it was answered.
func TestALineWithoutAnEndIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	box, stop := s.follow("web")
	defer stop()
	c := s.start(t, service("web", config.OutputPrefix), 1, "ask")
	c.say(t, "hello|Password: \xe2\x82") // half of a character comes with the rest of it
	s.stdout.await(t, "web | hello\nweb | Password: \n")
	<-box.Wake
	if lines := s.lines("web", 1); len(lines) != 1 || lines[0].Text != "Password: " {
		t.Errorf("in the logs is %+v", lines)
	}
	c.say(t, "\xac|bye|")
	s.stdout.await(t, "web | €\nweb | bye\n")
	c.say(t, "no more")
	c.stdin.Close()
	c.wait(t)
	s.Close(10 * time.Second)
	if got, _ := s.stdout.look(); got != "web | hello\nweb | Password: \nweb | €\nweb | bye\nweb | no more\n" {
		t.Errorf("standard output has %q", got)
	}
	s.quiet(t)
}

func TestAFileHasALineWithoutAnEndAndTheRestOfIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	svc, path := logFile(t)
	c := s.start(t, svc, 1, "ask")
	c.say(t, "Password: ")
	awaitFile(t, path, "Password: ")
	c.say(t, "\r|thanks")
	awaitFile(t, path, "thanks")
	for range 3 {
		s.Reopen() // the same file
		awaitFile(t, path, "thanks")
		other := s.start(t, svc, 2, "say")
		other.wait(t)
	}
	c.say(t, ", and bye")
	c.stdin.Close()
	c.wait(t)
	s.Close(10 * time.Second)
	if got := content(t, path); got != "Password: \r\nthanks, and bye" {
		t.Errorf("the file has %q", got)
	}

	// The next hupwatch does not go on with a line that the last one left so.
	next := newSite(t)
	next.start(t, svc, 2, "say", "next\n", "\n").wait(t)
	next.Close(10 * time.Second)
	if got := content(t, path); got != "Password: \r\nthanks, and bye\nnext\n\n" {
		t.Errorf("the file has %q", got)
	}
	s.quiet(t)
}
