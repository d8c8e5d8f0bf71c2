package runner

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A HUP that came while hupwatch had no descriptor left was taken for the end of
// the terminal, and every service was stopped.
func TestATerminalThatCannotBeOpenedForOtherReasonsIsNotGone(t *testing.T) {
	var before unix.Rlimit
	none := unix.Rlimit{}
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	none.Max = before.Max
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &none, nil); err != nil {
		t.Fatal(err)
	}
	gone := (&terminal{foreground: true}).hungUp()
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	if gone {
		t.Error("a terminal is gone since there are too many open files")
	}
}
