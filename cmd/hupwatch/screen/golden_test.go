package screen_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hupwatch/runner/control"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares lines with those of a file.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	got := strings.ReplaceAll(strings.Join(lines, "\n")+"\n", "\x1b", "ESC")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// noon is when the tests look.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// before is so long before noon.
func before(d time.Duration) control.Time { return control.Time{Time: noon.Add(-d)} }

// in is so long after noon.
func in(d time.Duration) control.Time { return control.Time{Time: noon.Add(d)} }

// cells counts what a terminal shows of a line. The tests have no wide letters but 界.
func cells(line string) int {
	n := 0
	for i := 0; i < len(line); {
		if strings.HasPrefix(line[i:], "\x1b[") {
			i += strings.IndexByte(line[i:], 'm') + 1
			continue
		}
		r := []rune(line[i:])[0]
		n++
		if r == '界' {
			n++
		}
		i += len(string(r))
	}
	return n
}
