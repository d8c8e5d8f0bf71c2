package output

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// many are n lines like this one.
func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", i)
	}
	return b.String()
}

// What these programs print is what they printed where the test was written; those
// that are installed are tried for real with the built binary.
func TestATailHasTheLineThatNamesTheCause(t *testing.T) {
	gunicorn := ""
	for worker := range 4 {
		gunicorn += fmt.Sprintf("[2026-03-01 12:00:0%d +0000] [%d] [ERROR] Exception in worker process\nTraceback (most recent call last):\n", worker, 100+worker) +
			many(12, "  File \"/usr/lib/python3/dist-packages/gunicorn/%d.py\", line 7, in load\n    super().init_process()") +
			"  File \"/srv/web/app.py\", line 1, in <module>\n    import jnja2\nModuleNotFoundError: No module named 'jnja2'\n" +
			fmt.Sprintf("[2026-03-01 12:00:0%d +0000] [%d] [INFO] Worker exiting (pid: %d)\n", worker, 100+worker, 100+worker)
	}
	gunicorn += many(24, "[2026-03-01 12:00:09 +0000] [99] [INFO] Waiting for worker %d")
	for _, c := range []struct{ name, text, want string }{
		{"gunicorn", gunicorn, "ModuleNotFoundError: No module named 'jnja2'"},
		{"python", many(40, "  File \"x.py\", line %d") + "json.decoder.JSONDecodeError: Expecting value: line 1\n" + many(40, "stopping %d"), "json.decoder.JSONDecodeError: Expecting value: line 1"},
		{"puma", "! Unable to load application: LoadError: cannot load such file -- jnja2\n" + many(60, "/usr/lib/ruby/%d.rb:12:in `require'"), "! Unable to load application: LoadError: cannot load such file -- jnja2"},
		{"node", "node:internal/modules/cjs/loader:1080\n  throw err;\n  ^\n\nError: Cannot find module 'jnja2'\n" + many(60, "    at Module.load (node:internal:%d)"), "Error: Cannot find module 'jnja2'"},
		{"node, of its own kind", "TypeError [ERR_INVALID_ARG_TYPE]: The path must be a string\n" + many(60, "    at Module.load (node:internal:%d)"), "TypeError [ERR_INVALID_ARG_TYPE]: The path must be a string"},
		{"uwsgi", "ModuleNotFoundError: No module named 'jnja2'\nunable to load app 0 (mountpoint='') (callable not found or import error)\n" + many(40, "spawned uWSGI worker %d"), "ModuleNotFoundError: No module named 'jnja2'"},
		{"php-fpm", "[01-Mar-2026 12:00:00] ERROR: [/etc/php.conf:4] unknown entry 'lisen'\n" + many(40, "[01-Mar-2026 12:00:00] NOTICE: %d"), "[01-Mar-2026 12:00:00] ERROR: [/etc/php.conf:4] unknown entry 'lisen'"},
		{"nginx", "2026/03/01 12:00:00 [emerg] 1#1: unknown directive \"lisen\" in /etc/nginx.conf:3\n" + many(40, "note %d"), "2026/03/01 12:00:00 [emerg] 1#1: unknown directive \"lisen\" in /etc/nginx.conf:3"},
		{"java", "Exception in thread \"main\" java.lang.IllegalStateException: no database\n" + many(30, "\tat org.example.A.b(A.java:%d)") + "Caused by: java.net.ConnectException: Connection refused\n" + many(30, "\tat org.example.C.d(C.java:%d)"), "Caused by: java.net.ConnectException: Connection refused"},
		{"java, the first", "Exception in thread \"main\" java.lang.IllegalStateException: no database\n" + many(60, "\tat org.example.A.b(A.java:%d)"), "Exception in thread \"main\" java.lang.IllegalStateException: no database"},
		{"go", "panic: runtime error: index out of range [3] with length 2\n\ngoroutine 1 [running]:\n" + many(60, "main.main()\n\t/srv/main.go:%d"), "panic: runtime error: index out of range [3] with length 2"},
		{"coloured", `\x1b[31mERROR\x1b[0m: no such table` + "\n" + many(40, "bye %d"), `\x1b[31mERROR\x1b[0m: no such table`},
		{"some other", "could not open the box\n" + many(40, "bye %d"), "could not open the box"},
	} {
		lines := strings.Split(strings.TrimSuffix(c.text, "\n"), "\n")
		tail := choose(lines)
		switch {
		case !slices.Contains(tail, c.want):
			t.Errorf("%s: the tail is %q, want %q in it", c.name, tail, c.want)
		case !slices.Equal(tail[len(tail)-endLines:], lines[len(lines)-endLines:]):
			t.Errorf("%s: the tail ends with %q", c.name, tail)
		case !slices.Equal(clip(tail), tail):
			t.Errorf("%s: the tail is too long: %q", c.name, tail)
		}
	}
}

func TestATailSaysHowMuchIsLeftOut(t *testing.T) {
	lines := append([]string{"before", "ValueError: 3"}, strings.Split(strings.TrimSpace(many(100, "line %d")), "\n")...)
	tail := choose(lines)
	if len(tail) != tailLines || tail[0] != "before" || tail[1] != "ValueError: 3" || tail[2] != "[... 83 lines]" || tail[3] != "line 83" {
		t.Errorf("%q", tail)
	}
}

func TestALongLineLeavesRoomForTheCause(t *testing.T) {
	lines := append([]string{"ValueError: 3"}, slices.Repeat([]string{strings.Repeat("x", 8000)}, 30)...)
	tail := choose(lines)
	if tail[0] != "ValueError: 3" || len(tail) < 4 || len(tail[3]) != mostOfOne || !slices.Equal(clip(tail), tail) {
		t.Errorf("%q", tail)
	}
}

// What a service said long before it died is not why.
func TestOldErrorsOfWhatServedAreNoCause(t *testing.T) {
	j := newStory("web")
	c := &Capture{tail: newTail(), settled: true, streams: []*stream{{hub: &Hub{}, journal: j, generation: 3}}}
	c.streams[0].fifo.reader = -1
	add := func(at int64, text string) {
		e := entry{at: at * 1e9, generation: 3, stream: Out, text: []byte(text)}
		j.add(e)
		c.tail.add(e)
	}
	add(10, "ValueError: of this morning")
	for i := range int64(30) {
		add(1000+i, "GET /")
	}
	add(2000, "panic: now")
	for range 30 {
		add(2000, "main.go")
	}
	if tail := c.Tail(); slices.Contains(tail, "ValueError: of this morning") || tail[0] != "panic: now" && tail[1] != "panic: now" {
		t.Errorf("%q", tail)
	}
}

func TestABriefTailHasTheCause(t *testing.T) {
	tail := []string{"Traceback (most recent call last):", "[... 9 lines]", "ModuleNotFoundError: No module named 'wsgi'", "Worker exiting (pid: 7)", "Shutting down: Master", "Reason: Worker failed to boot."}
	if got := Brief(tail, 3); len(got) != 1 || got[0] != tail[2] {
		t.Errorf("%q", got)
	}
	for _, c := range [][]string{tail[:3], tail[3:], tail[2:5]} {
		if got := Brief(c, 3); !slices.Equal(got, c) {
			t.Errorf("of %q remains %q", c, got)
		}
	}
	if got := Brief(append([]string{"booting"}, tail[3:]...), 3); !slices.Equal(got, tail[3:]) {
		t.Errorf("%q", got)
	}
}
