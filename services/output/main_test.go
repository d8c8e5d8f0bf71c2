package output_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/output"
)

// The children of the tests are this test binary again, in the part that helper
// names.
func TestMain(m *testing.M) {
	if part, found := os.LookupEnv("HELPER"); found {
		helpers[part](os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

var helpers map[string]func(args []string)

func init() {
	helpers = map[string]func(args []string){
		"say":     helpSay,
		"count":   helpCount,
		"flood":   helpFlood,
		"outlive": helpOutlive,
		"reopen":  helpReopen,
		"ask":     helpAsk,
	}
}

// helpSay writes each of its arguments: those with a ! in front to its standard
// error.
func helpSay(args []string) {
	for _, text := range args {
		to := os.Stdout
		if rest, ok := strings.CutPrefix(text, "!"); ok {
			to, text = os.Stderr, rest
		}
		if _, err := to.WriteString(text); err != nil {
			os.Exit(1)
		}
	}
}

// helpCount writes numbered lines of various lengths: a name, up to which
// number.
func helpCount(args []string) {
	w := bufio.NewWriterSize(os.Stdout, 3000) // which cuts lines
	most, _ := strconv.Atoi(args[1])
	for i := range most {
		fmt.Fprintln(w, numbered(args[0], i))
	}
	w.Flush()
}

// numbered is line i of what helpCount writes.
func numbered(name string, i int) string {
	length := i % 300
	if i%1000 == 999 {
		length = 7000
	}
	return fmt.Sprintf("%s %d %s.", name, i, strings.Repeat("x", length))
}

// helpFlood writes the text again and again, until somebody kills it.
func helpFlood(args []string) {
	text := bytes.Repeat([]byte(args[0]), 1+4096/len(args[0]))
	for {
		if _, err := os.Stdout.Write(text); err != nil {
			os.Exit(1)
		}
	}
}

// helpOutlive writes a line for each one it reads, and acknowledges that it has.
func helpOutlive([]string) {
	in, done := bufio.NewScanner(os.Stdin), os.NewFile(3, "done")
	for in.Scan() {
		if _, err := fmt.Println(in.Text()); err != nil {
			os.Exit(1)
		}
		fmt.Fprintln(done, "written")
	}
	os.Exit(42)
}

// helpAsk is helpOutlive with lines that it does not end; a | in one ends it.
func helpAsk([]string) {
	in, done := bufio.NewScanner(os.Stdin), os.NewFile(3, "done")
	for in.Scan() {
		if _, err := os.Stdout.WriteString(strings.ReplaceAll(in.Text(), "|", "\n")); err != nil {
			os.Exit(1)
		}
		fmt.Fprintln(done, "written")
	}
}

// helpReopen writes to what it gets by opening its output anew.
func helpReopen([]string) {
	f, err := os.OpenFile("/dev/stdout", os.O_WRONLY, 0)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Fprintf(f, "uid %d wrote this\n", os.Getuid())
}

// screen is a destination that can be looked at, and held.
type screen struct {
	hold chan struct{} // closed for a write to return; nil does not hold

	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	return len(p), nil
}

func (s *screen) look() (text string, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.text.String(), s.changed
}

// await returns what is on the screen once it contains the text.
func (s *screen) await(t testing.TB, text string) string {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		got, changed := s.look()
		if strings.Contains(got, text) {
			return got
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%q does not come, there is %q", text, short(got))
		}
	}
}

func short(text string) string {
	if len(text) > 500 {
		return text[:250] + " ... " + text[len(text)-250:]
	}
	return text
}

// site is a hub with its surroundings.
type site struct {
	*output.Hub
	dir            string
	stdout, stderr *screen
	troubles       *screen
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{dir: t.TempDir() + "/output", stdout: &screen{}, stderr: &screen{}, troubles: &screen{}}
	s.open(t, s.stdout)
	return s
}

// open makes the hub.
func (s *site) open(t testing.TB, stdout io.Writer) {
	t.Helper()
	hub, err := output.New(output.Options{
		Dir: s.dir, Stdout: stdout, Stderr: s.stderr,
		Trouble: func(service, text string) { fmt.Fprintf(s.troubles, "%s: %s\n", service, text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Hub = hub
	t.Cleanup(func() { hub.Close(10 * time.Second) })
}

func (s *site) quiet(t *testing.T) {
	t.Helper()
	if text, _ := s.troubles.look(); text != "" {
		t.Errorf("there was trouble: %s", text)
	}
}

func (s *site) fifos(t testing.TB) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// child is one generation.
type child struct {
	*exec.Cmd
	*output.Capture
	stdin io.WriteCloser
	done  *bufio.Scanner
}

// say has a helpOutlive write a line, and returns when it has.
func (c *child) say(t testing.TB, text string) {
	t.Helper()
	if _, err := fmt.Fprintln(c.stdin, text); err != nil {
		t.Fatal(err)
	}
	if !c.done.Scan() {
		t.Fatalf("%q was not written: %v", text, c.done.Err())
	}
}

// start starts a generation in one of the parts.
func (s *site) start(t testing.TB, c *config.Service, generation int, part string, args ...string) *child {
	t.Helper()
	capture, err := s.Open(c, generation, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, capture, exec.Command(self(t), args...), part)
}

func launch(t testing.TB, capture *output.Capture, cmd *exec.Cmd, part string) *child {
	t.Helper()
	cmd.Env = append(os.Environ(), "HELPER="+part, "GORACE=atexit_sleep_ms=0")
	stdout, stderr := capture.Descriptors()
	cmd.Stdout, cmd.Stderr = descriptor(t, stdout), descriptor(t, stderr)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w := pipe(t)
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	cmd.Stdout.(*os.File).Close()
	cmd.Stderr.(*os.File).Close()
	capture.Forked()
	c := &child{cmd, capture, stdin, bufio.NewScanner(r)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return c
}

// descriptor is a copy of one as a file, which closes it some day.
func descriptor(t testing.TB, fd int) *os.File {
	t.Helper()
	if fd < 0 {
		f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	dup, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(dup)
	return os.NewFile(uintptr(dup), "output")
}

func (c *child) wait(t testing.TB) {
	t.Helper()
	if err := c.Wait(); err != nil {
		t.Errorf("%s: %v", c, err)
	}
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func service(name string, to config.Output) *config.Service {
	return &config.Service{Name: name, Output: to, OutputBackups: 10}
}
