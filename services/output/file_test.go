package output_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
)

// logFile is a service that writes to a file in a directory of its own.
func logFile(t testing.TB) (c *config.Service, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "web.log")
	return service("web", config.Output(path)), path
}

func content(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAFileGetsEveryByteAsItIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, path := logFile(t)
	text := "a\r\n\n\x1b[1m\xff\x01\n" + strings.Repeat("long", 10000) + "\nno end"
	s.start(t, c, 1, "say", text).wait(t)
	s.Close(10 * time.Second)
	if got := content(t, path); got != text {
		t.Errorf("the file has %q, want %q", short(got), short(text))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	s.quiet(t)
}

// Behind a link a .. is where the link leads, not where it stands.
func TestFileIsWhereTheKernelFindsIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data/app"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("data/app", filepath.Join(dir, "app")); err != nil {
		t.Fatal(err)
	}
	s.start(t, service("web", config.Output(dir+"/app/../web.log")), 1, "say", "hello\n").wait(t)
	s.Close(10 * time.Second)
	if got := content(t, filepath.Join(dir, "data/web.log")); got != "hello\n" {
		t.Errorf("the file has %q", got)
	}
	s.quiet(t)
}

// TestRotationLosesNothing has two services and their standard error flood one
// file.
func TestRotationLosesNothing(t *testing.T) {
	t.Parallel()
	const lines, size = 30000, 500_000
	s := newSite(t)
	c, path := logFile(t)
	c.OutputMaxSize, c.OutputBackups = size, 100
	c.Stderr = c.Output
	other := *c
	other.Name = "other"
	children := []*child{
		s.start(t, c, 1, "count", "a", fmt.Sprint(lines)),
		s.start(t, &other, 1, "count", "b", fmt.Sprint(lines)),
		s.start(t, c, 2, "count", "c", fmt.Sprint(lines)),
	}
	for _, child := range children {
		child.wait(t)
	}
	s.Close(20 * time.Second)
	s.quiet(t)

	next, files := map[string]int{}, rotated(t, path)
	for i, file := range files {
		text := content(t, file)
		if len(text) > size || i < len(files)-1 && len(text) < size-10000 {
			t.Errorf("%s has %d bytes", file, len(text))
		}
		for line := range strings.Lines(text) {
			name, _, _ := strings.Cut(line, " ")
			if want := numbered(name, next[name]) + "\n"; line != want {
				t.Fatalf("%s: got %q, want %q", file, short(line), short(want))
			}
			next[name]++
		}
	}
	if next["a"] != lines || next["b"] != lines || next["c"] != lines || len(files) < 10 {
		t.Errorf("%d files with %v, want %d of each", len(files), next, lines)
	}
}

// rotated returns the files of one path, the oldest one first.
func rotated(t testing.TB, path string) (files []string) {
	t.Helper()
	for n := 1; ; n++ {
		file := fmt.Sprintf("%s.%d", path, n)
		if _, err := os.Stat(file); err != nil {
			slices.Reverse(files)
			return append(files, path)
		}
		files = append(files, file)
	}
}

func TestNoMoreFilesAreKeptThanAskedFor(t *testing.T) {
	t.Parallel()
	for _, backups := range []int{0, 1, 3} {
		s := newSite(t)
		c, path := logFile(t)
		c.OutputMaxSize, c.OutputBackups = 4096, backups
		s.start(t, c, 1, "count", "a", "500").wait(t)
		s.Close(10 * time.Second)
		if files := rotated(t, path); len(files) != backups+1 {
			t.Errorf("there are %v, want %d beside the last", files, backups)
		}
		if got := content(t, path); !strings.HasSuffix(got, numbered("a", 499)+"\n") {
			t.Errorf("the file ends with %q", short(got))
		}
		s.quiet(t)
	}
}

func TestANewSizeHoldsForAFileThatIsOpen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, path := logFile(t)
	child := s.start(t, c, 1, "outlive")
	child.say(t, strings.Repeat("a", 6000))
	awaitFile(t, path, "a\n")
	changed := *c
	changed.OutputMaxSize = 5000
	s.Apply(&changed)
	child.say(t, "b")
	awaitFile(t, path, "b\n")
	if files := rotated(t, path); len(files) != 2 || content(t, path) != "b\n" {
		t.Errorf("there are %v, the last one with %q", files, content(t, path))
	}
}

func TestALineThatIsLargerThanAFileIsTheOnlyOneTorn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, path := logFile(t)
	c.OutputMaxSize, c.OutputBackups = 10000, 100
	text := "short\n" + strings.Repeat("x", 95000) + "\nshort\n"
	s.start(t, c, 1, "say", text).wait(t)
	s.Close(10 * time.Second)
	var all strings.Builder
	for _, file := range rotated(t, path) {
		part := content(t, file)
		if len(part) > 20000 {
			t.Errorf("%s has %d bytes", file, len(part))
		}
		all.WriteString(part)
	}
	if all.String() != text {
		t.Errorf("got %q", short(all.String()))
	}
}

func TestLinesThatOthersInterruptStayApart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, path := logFile(t)
	for generation, text := range []string{"no end", "next\n"} {
		child := s.start(t, c, generation, "say", text)
		child.wait(t)
		child.Tail()
	}
	s.Close(10 * time.Second)
	if got := content(t, path); got != "no end\nnext\n" {
		t.Errorf("the file has %q", got)
	}
}

func TestFilesThatWereMovedAwayAreOpenedAnewOnReopen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, path := logFile(t)
	child := s.start(t, c, 1, "outlive")
	child.say(t, "before")
	awaitFile(t, path, "before\n")
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	child.say(t, "moved")
	awaitFile(t, path+".moved", "moved\n")
	s.Reopen()
	awaitFile(t, path, "")
	child.say(t, "after")
	awaitFile(t, path, "after\n")
	if got := content(t, path); got != "after\n" {
		t.Errorf("the new file has %q", got)
	}
	s.quiet(t)
}

func TestAFileThatSomebodyElseRotatedIsNotRotatedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, path := logFile(t)
	c.OutputMaxSize = 10000
	child := s.start(t, c, 1, "outlive")
	child.say(t, strings.Repeat("a", 8000))
	awaitFile(t, path, "a\n")
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("theirs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	child.say(t, strings.Repeat("b", 8000))
	awaitFile(t, path, "b\n")
	if got := content(t, path); !strings.HasPrefix(got, "theirs\nb") {
		t.Errorf("the file has %q", short(got))
	}
	if files := rotated(t, path); len(files) != 1 {
		t.Errorf("there are %v", files)
	}
	s.quiet(t)
}

func TestAMissingDirectoryIsReportedOnceAndThenUsed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := filepath.Join(t.TempDir(), "missing")
	path := filepath.Join(dir, "web.log")
	c := service("web", config.Output(path))
	lines, stop := s.follow("web")
	defer stop()
	child := s.start(t, c, 1, "outlive")
	s.troubles.await(t, "web: "+path+": no such file or directory: what services write there is lost until it works again\n")
	for range 3 {
		child.say(t, "lost")
		<-lines.Wake
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.Reopen()
	child.say(t, "good")
	awaitFile(t, path, "good\n")
	if got := content(t, path); missing(t, got) > 3 || !strings.HasSuffix(got, "\ngood\n") && got != "good\n" {
		t.Errorf("the file has %q", got)
	}
	if text, _ := s.troubles.look(); strings.Count(text, "no such file") != 1 {
		t.Errorf("it was said more than once: %s", text)
	}
}

func TestOutputFileMustBeARegularFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.Symlink("/etc/passwd", dir+"/link"), syscall.Mkfifo(dir+"/fifo", 0o600), os.Mkdir(dir+"/dir", 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"link": "symbolic link", "fifo": "no such device", "dir": "is a directory"} {
		s := newSite(t)
		s.start(t, service("web", config.Output(filepath.Join(dir, name))), 1, "say", "text\n").wait(t)
		s.troubles.await(t, want)
	}
}

func TestAFileThatCannotBeRotatedGrows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c, path := logFile(t)
	c.OutputMaxSize, c.OutputBackups = 5000, 1
	if err := errors.Join(os.Mkdir(path+".1", 0o700), os.WriteFile(path+".1/x", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.start(t, c, 1, "count", "a", "500").wait(t)
	s.Close(10 * time.Second)
	n := 0
	for line := range strings.Lines(content(t, path)) {
		if want := numbered("a", n) + "\n"; line != want {
			t.Fatalf("got %q, want %q", short(line), short(want))
		}
		n++
	}
	if n != 500 {
		t.Errorf("%d lines, want 500", n)
	}
	text, _ := s.troubles.look()
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "rotate "+path) {
		t.Errorf("it said %q", text)
	}
}

func TestAFullDiskLosesLinesAndSaysHowMany(t *testing.T) {
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("it takes root to mount a small disk")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("mount: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	ballast, path := filepath.Join(dir, "ballast"), filepath.Join(dir, "web.log")
	if err := os.WriteFile(ballast, make([]byte, 40<<10), 0o600); err != nil {
		t.Fatal(err)
	}

	const lines = 1000
	s := newSite(t)
	c := service("web", config.Output(path))
	child := s.start(t, c, 1, "count", "a", fmt.Sprint(lines))
	child.wait(t) // which nothing disturbs
	if tail := child.Tail(); len(tail) == 0 || !strings.HasPrefix(tail[len(tail)-1], "a 999 ") {
		t.Errorf("the tail is %q", short(strings.Join(tail, "\n")))
	}
	s.troubles.await(t, "no space left on device")
	full := content(t, path)
	if err := errors.Join(os.Remove(ballast), os.Truncate(path, 0)); err != nil {
		t.Fatal(err)
	}
	last := s.start(t, c, 2, "say", "good\n")
	last.wait(t)
	last.Tail()
	s.Close(10 * time.Second)
	got := content(t, path)
	if !strings.HasSuffix(got, "good\n") {
		t.Errorf("the file has %q", short(got))
	}
	// The line that was torn is among the missing.
	written := strings.Count(full, "\n") + strings.Count(got, "\n")
	if n := missing(t, full) + missing(t, got); n == 0 || n > lines || written+n < lines {
		t.Errorf("%d lines are missing, %d were written, of %d", n, written, lines)
	}
	if text, _ := s.troubles.look(); strings.Count(text, "no space") != 1 {
		t.Errorf("it said %s", text)
	}
}

func TestNothingIsLeftOpen(t *testing.T) {
	before := 0
	for i := range 20 {
		t.Run("round", func(t *testing.T) {
			s := newSite(t)
			c, path := logFile(t)
			c.Stderr = config.OutputPrefix
			child := s.start(t, c, i, "say", "text\n")
			child.wait(t)
			child.Tail()
			awaitFile(t, path, "text\n")
		})
		switch now := descriptors(t); {
		case i == 0:
			before = now
		case now > before:
			t.Fatalf("%d descriptors are open, %d before", now, before)
		}
	}
}
