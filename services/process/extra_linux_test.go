package process_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

func TestExtraDescriptorsAreAtTheirNumbersAndNothingIsBetween(t *testing.T) {
	table := newTable(t)
	bothWays(t, func(t *testing.T, way func(process.Spec) process.Spec) {
		for _, sockets := range []int{0, 2} {
			spec := way(helper("descriptors"))
			want := []int{0, 1, 2}
			for i := range sockets {
				spec.Sockets = append(spec.Sockets, listener(t))
				want = append(want, 3+i)
			}
			for _, at := range []int{99, 3 + sockets, 10} {
				spec.Extra = append(spec.Extra, process.Descriptor{FD: listener(t), At: at})
			}
			want = append(want, 3+sockets, 10, 99)
			out := output(t, table, spec)
			rest, ok := strings.CutPrefix(out, fmt.Sprint(want))
			if !ok {
				t.Errorf("with %d sockets: %s, want %v", sockets, out, want)
			}
			if numbers := strings.Fields(rest); sockets > 0 && (len(numbers) != 2 || numbers[0] != numbers[1]) {
				t.Errorf("pid and LISTEN_PID are %v, want them the same", numbers)
			}
		}
	})
}

// Each of two pipes gets the number of the other one: neither may be lost on the
// way.
func TestExtraDescriptorsMayTakeEachOthersNumbers(t *testing.T) {
	table := newTable(t)
	bothWays(t, func(t *testing.T, way func(process.Spec) process.Spec) {
		first, toFirst := pipe(t)
		second, toSecond := pipe(t)
		a, b := int(toFirst.Fd()), int(toSecond.Fd())
		text := fmt.Sprintf("echo a >/dev/fd/%d; echo b >/dev/fd/%d", b, a)
		spec := way(process.Spec{Path: "/bin/sh", Args: []string{"sh", "-c", text}, Stdout: 1, Stderr: 2, Umask: -1})
		spec.Extra = []process.Descriptor{{FD: a, At: b}, {FD: b, At: a}}
		output(t, table, spec)
		toFirst.Close()
		toSecond.Close()
		for r, want := range map[*os.File]string{first: "a\n", second: "b\n"} {
			if got, err := io.ReadAll(r); err != nil || string(got) != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		}
	})
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func TestExtraDescriptorsThatClashAreRefused(t *testing.T) {
	table := newTable(t)
	fd := listener(t)
	for name, extra := range map[string][]process.Descriptor{
		"standard error": {{FD: fd, At: unix.Stderr}},
		"a socket":       {{FD: fd, At: 3}},
		"another one":    {{FD: fd, At: 5}, {FD: fd, At: 5}},
		"a negative one": {{FD: fd, At: -1}},
		"a huge one":     {{FD: fd, At: 1 << 30}},
	} {
		spec := helper("exit")
		spec.Sockets = []int{fd}
		spec.Extra = extra
		w := newWatch()
		if err := table.Start(spec, w); err == nil || len(w.calls) > 0 {
			t.Errorf("%s: error %v and %d calls, want an error and none", name, err, len(w.calls))
		}
	}
}
