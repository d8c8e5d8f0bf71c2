package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stdout reads the standard output of hupwatch apart from its log. It is called
// before the start.
func (d *daemon) stdout() *daemon {
	d.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	d.cmd.Stdout = w
	out := &daemon{t: d.t, log: newEventLog()}
	go func() { // ends with hupwatch, and what it leaves behind
		out.log.read(r)
		r.Close()
	}()
	d.t.Cleanup(func() { w.Close() })
	return out
}

// endOfOutput lets go of the test's own end of the pipe, so that stdout ends
// with hupwatch, and returns all of it.
func (d *daemon) endOfOutput(out *daemon) string {
	d.t.Helper()
	d.cmd.Stdout.(*os.File).Close()
	eventually(d.t, "the output ends", func() bool {
		_, ended := out.log.more()
		return ended
	})
	return out.log.text()
}

// line waits until there is this line, all of it.
func (d *daemon) line(want string) {
	d.t.Helper()
	late := time.After(patience)
	for {
		grown, ended := d.log.more()
		if strings.Contains("\n"+d.log.text()+"\n", "\n"+want+"\n") {
			return
		}
		if ended {
			d.t.Fatalf("%q is no line of\n%s", want, d.log.text())
		}
		select {
		case <-grown:
		case <-late:
			d.t.Fatalf("%q is no line of\n%s", want, d.log.text())
		}
	}
}

// apart is what goes to hupwatch's standard output and error.
const apart = `stderr = "prefix"`

func TestOutputIsPrefixedAndHarmless(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.configure(quick + service("web", `print one\ntwo\n\x1b[2Jclear\x07\r\nl\u00f6w \xff \u009b\nmsg=fake level=error\n; serve`, apart) +
		service(`"api.v2"`, `serve; print never ended`, apart))
	out := d.stdout()
	d.start()
	for _, line := range []string{
		"web | one", "web | two", `web | \x1b[2Jclear\x07`, `web | löw \xff \u009b`, "web | msg=fake level=error",
	} {
		out.line(line)
	}
	d.up("web", 1) // says so on its standard error
	pid := d.up("api.v2", 1)
	d.line(fmt.Sprintf(`api.v2 | said="serving" service=api.v2 generation=1 pid=%d`, pid))
	d.ends(syscall.SIGTERM, soon)
	text := d.endOfOutput(out)
	if !strings.HasSuffix("\n"+text, "\napi.v2 | never ended") && !strings.Contains("\n"+text, "\napi.v2 | never ended\n") {
		t.Errorf("a line without an end is lost:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "web | ") && !strings.HasPrefix(line, "api.v2 | ") || strings.Contains(line, "said=") {
			t.Errorf("%q is in the standard output", line)
		}
	}
}

// lines are what a file and its backups have, from the oldest on.
func (d *daemon) lines(name string) []string {
	d.t.Helper()
	var all []byte
	backups, err := filepath.Glob(d.path(name + ".*"))
	if err != nil {
		d.t.Fatal(err)
	}
	for n := len(backups); n >= 0; n-- {
		path := d.path(name)
		if n > 0 {
			path += "." + strconv.Itoa(n)
		}
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			d.t.Fatal(err)
		}
		if len(text) > 0 && text[len(text)-1] != '\n' {
			d.t.Errorf("%s ends within a line", path)
		}
		all = append(all, text...)
	}
	return strings.Split(strings.TrimSuffix(string(all), "\n"), "\n")
}

// complete fails the test unless these are the numbered lines of these
// generations, each in its order, and what else is expected.
func complete(t *testing.T, lines []string, want map[string]int, prefix string) {
	t.Helper()
	next := make(map[string]int)
	for _, line := range lines {
		line = strings.TrimPrefix(line, prefix)
		if strings.HasPrefix(line, "said=") {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 4 || line != numbered(words[0], words[1], next[words[1]]) {
			t.Fatalf("%q is not line %d", line, next[words[min(1, len(words)-1)]])
		}
		next[words[1]]++
	}
	for generation, n := range want {
		if next[generation] != n {
			t.Errorf("generation %s wrote %d lines, %d are there", generation, n, next[generation])
		}
	}
}

// flooded waits until a flood has ended, and returns how many lines it was. The
// pairs of what it says are in the lines of the file too.
func flooded(t *testing.T, d *daemon, name string, generation int) int {
	t.Helper()
	text := ""
	eventually(t, "the flood ends", func() bool {
		for _, e := range d.all("service="+name, "generation="+strconv.Itoa(generation)) {
			if n, ok := strings.CutPrefix(e["said"], "flooded "); ok {
				text = n
			}
		}
		return text != ""
	})
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// flooding is a service that floods the file out, and says on the standard error
// of hupwatch how much that was.
func flooding(keys ...string) string {
	return quick + service("web", "flood", append(keys, `output = "./out"`, apart)...)
}

func TestAnOutputFileLosesAndTearsNothingInReloads(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, flooding(`output_max_size = "128kB"`, "output_backups = 1000"))
	const reloads = 3
	for generation := 1; generation <= reloads; generation++ {
		d.says("flooding", "web", generation)
		d.promoted("web", generation)
		d.asks(exitDone, "reload")
	}
	d.says("flooding", "web", reloads+1)
	d.ends(syscall.SIGTERM, soon)
	want := make(map[string]int)
	for generation := 1; generation <= reloads+1; generation++ {
		want[strconv.Itoa(generation)] = flooded(t, d, "web", generation)
	}
	complete(t, d.lines("out"), want, "")
	if _, err := os.Stat(d.path("out.2")); err != nil {
		t.Errorf("it was not rotated: %v", err)
	}
	if trouble := d.all("msg=trouble"); len(trouble) > 0 {
		t.Errorf("%v", trouble)
	}
}

func TestAfterLogrotateAndUSR1ANewFileGoesOnWithNothingLost(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, flooding())
	d.says("flooding", "web", 1)
	d.promoted("web", 1)
	const rotations = 3
	for n := range rotations {
		eventually(t, "there is a file with something in it", func() bool {
			info, err := os.Stat(d.path("out"))
			return err == nil && info.Size() > 0
		})
		for older := n; older > 0; older-- { // as logrotate does
			if err := os.Rename(d.path(fmt.Sprintf("out.%d", older)), d.path(fmt.Sprintf("out.%d", older+1))); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Rename(d.path("out"), d.path("out.1")); err != nil {
			t.Fatal(err)
		}
		d.signal(syscall.SIGUSR1)
	}
	d.awaitAll(rotations, "msg=output files reopened")
	eventually(t, "there is a new file with something in it", func() bool {
		info, err := os.Stat(d.path("out"))
		return err == nil && info.Size() > 0
	})
	d.ends(syscall.SIGTERM, soon)
	complete(t, d.lines("out"), map[string]int{"1": flooded(t, d, "web", 1)}, "")
}

// opens returns what a descriptor of a process is.
func opens(t *testing.T, pid, fd int) string {
	t.Helper()
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestNullAndInheritAreWhatTheySay(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	d.configure(quick + service("gone", "serve", `output = "null"`) + service("mine", "print as it is\\n; serve", `output = "inherit"`) +
		service("both", "serve", `output = "null"`, `stderr = "inherit"`))
	out := d.stdout()
	d.start()
	gone := d.promoted("gone", 1)
	mine, both := d.up("mine", 1), d.up("both", 1)
	out.line("as it is")
	hupwatch := d.cmd.Process.Pid
	for _, c := range []struct {
		pid, fd int
		want    string
	}{
		{gone, 1, os.DevNull},
		{gone, 2, os.DevNull},
		{mine, 1, opens(t, hupwatch, 1)},
		{mine, 2, opens(t, hupwatch, 2)},
		{both, 1, os.DevNull},
		{both, 2, opens(t, hupwatch, 2)},
	} {
		if got := opens(t, c.pid, c.fd); got != c.want {
			t.Errorf("descriptor %d of process %d is %s, want %s", c.fd, c.pid, got, c.want)
		}
	}
	d.ends(syscall.SIGTERM, soon)
	if text := d.endOfOutput(out); strings.Contains(text, "service=gone") || text != "as it is" {
		t.Errorf("the standard output is %q", text)
	}
}

func TestAServiceWritesOnAfterHupwatchWasKilled(t *testing.T) {
	t.Parallel()
	const lines = 600 // 43 kB, of 64 KiB that a FIFO takes
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + service("web", fmt.Sprintf("await USR1; lines %d; say written; await USR2; hang", lines),
		fmt.Sprintf("environment = { %s = %q }", sayTo, d.path("said"))))
	d.start()
	pid := said.says("awaiting USR1", "web", 1)
	d.promoted("web", 1)
	d.crash()
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	said.says("written", "web", 1)
	said.says("awaiting USR2", "web", 1)
	if !alive(pid) {
		t.Errorf("it did not survive")
	}
	kill(t, pid)
	next := d.again()
	next.promoted("web", 1)
}

func TestAnOutputThatNobodyReadsHoldsUpNeitherReloadsNorTheEnd(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	d.cmd.Stdout = w
	d.configure(quick + service("web", "lines 60000; say written; serve", apart, `warmup = "100ms"`, `stop_timeout = "10s"`))
	d.start()
	d.promoted("web", 1)
	before := rss(t, d.cmd.Process.Pid)
	d.says("written", "web", 1) // 5.4 MB: they are thrown away after a while
	for generation := 2; generation <= 3; generation++ {
		d.asks(exitDone, "status")
		d.asks(exitDone, "reload")
	}
	d.says("written", "web", 3)
	if after := rss(t, d.cmd.Process.Pid); after > before+40<<20 {
		t.Errorf("hupwatch has %d MB, and had %d MB before 16 MB of output", after>>20, before>>20)
	}
	if !d.faulty("standard output has taken nothing") {
		t.Errorf("nobody is told: %v", d.all("msg=trouble"))
	}
	d.ends(syscall.SIGTERM, soon)
}

// rss is the memory of a process.
func rss(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(unix.Getpagesize())
}

func TestTheLastLinesBeforeAnExitAreNotLost(t *testing.T) {
	t.Parallel()
	const crashes, lines = 12, 150
	d := newDaemon(t, t.TempDir())
	d.configure(quick + service("web", fmt.Sprintf("lines %d; exit 1", lines), failing, apart, `restart_delay = "5ms"`, `restart_max_delay = "5ms"`, fmt.Sprintf("restart_limit = %d", crashes)))
	out := d.stdout()
	d.start()
	d.sees("msg=given up", "service=web")
	d.ends(syscall.SIGTERM, soon)
	want := make(map[string]int)
	for _, e := range d.all("msg=generation started") {
		want[e["generation"]] = lines
	}
	if len(want) < crashes {
		t.Errorf("%d generations were started", len(want))
	}
	complete(t, strings.Split(d.endOfOutput(out), "\n"), want, "web | ")
}

func TestTheLastLinesBeforeAStopAreNotLost(t *testing.T) {
	t.Parallel()
	const lines, reloads = 700, 4 // 50 kB, of 64 KiB that a FIFO takes
	script := fmt.Sprintf("serve; lines %d; exit 0", lines)
	for n := range 4 {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, t.TempDir())
			d.configure(quick + service("web", script, apart))
			out := d.stdout()
			d.start()
			want := map[string]int{"1": lines}
			for generation := 2; generation <= reloads+1; generation++ {
				d.up("web", generation-1)
				d.signal(syscall.SIGHUP)
				want[strconv.Itoa(generation)] = lines
			}
			d.up("web", reloads+1)
			d.ends(syscall.SIGTERM, soon)
			complete(t, strings.Split(d.endOfOutput(out), "\n"), want, "web | ")
		})
	}
}

func TestFollowerOfLogsMissesNothing(t *testing.T) {
	t.Parallel()
	const readers, enough = 40, 400
	d := startDaemon(t, quick+service("web", "flood", `output = "./out"`, apart))
	d.says("flooding", "web", 1)
	d.promoted("web", 1)
	client := d.client()
	for range readers {
		lines, err := client.Logs(t.Context(), "web", 10, true)
		if err != nil {
			t.Fatal(err)
		}
		next := -1
		for n := range enough {
			line, err := lines.Next()
			if err != nil {
				t.Fatal(err)
			}
			if line.Lost > 0 {
				break // which is said, at least
			}
			words := strings.Fields(line.Text)
			if len(words) < 4 || line.Stream != "stdout" {
				continue
			}
			number, err := strconv.Atoi(words[3])
			if err != nil || line.Text != numbered("web", "1", number) {
				t.Fatalf("%q is no line", line.Text)
			}
			if next >= 0 && number != next {
				t.Fatalf("line %d is %d, want %d", n, number, next)
			}
			next = number + 1
		}
		lines.Close()
	}
}
