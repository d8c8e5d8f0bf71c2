package process_test

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

// pid reads it from what a helper said: a word and the number.
func pid(t *testing.T, said string) int {
	t.Helper()
	_, number, _ := strings.Cut(said, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("helper said %q", said)
	}
	return n
}

func TestGroupIsEmptyOnlyWhenItsLastMemberIsGone(t *testing.T) {
	bothWays(t, func(t *testing.T, way func(process.Spec) process.Spec) {
		table := newTable(t)
		ours, theirs := newLine(t)
		spec := way(helper("orphan", "hold"))
		spec.Stdout = theirs
		w := start(t, table, spec)
		unix.Close(theirs)
		w.await(t, "execed", "exited")
		if w.exit.Code != 7 {
			t.Errorf("exit %+v, want 7", w.exit)
		}
		ours.hear(t)
		if err := w.process.Signal(syscall.SIGTERM); !errors.Is(err, process.ErrGone) {
			t.Errorf("Signal: %v, want ErrGone", err)
		}
		if err := w.process.SignalGroup(syscall.SIGTERM); err != nil { // it ignores that
			t.Errorf("SignalGroup: %v", err)
		}
		select {
		case call := <-w.calls:
			t.Fatalf("%s with a member left", call)
		default:
		}
		if err := w.process.SignalGroup(syscall.SIGKILL); err != nil {
			t.Errorf("SignalGroup: %v", err)
		}
		ours.ended(t)
		w.await(t, "emptied")
		if err := w.process.SignalGroup(syscall.SIGKILL); !errors.Is(err, process.ErrGone) {
			t.Errorf("SignalGroup of an empty group: %v, want ErrGone", err)
		}
	})
}

func TestKilledGroupIsEmptyThoughAZombieIsNeverReaped(t *testing.T) {
	table := newTable(t)
	ours, theirs := newLine(t)
	spec := helper("orphan", "escape")
	spec.Stdout = theirs
	w := start(t, table, spec)
	unix.Close(theirs)
	w.await(t, "execed", "exited")
	var held int
	for range 2 {
		if said := ours.hear(t); strings.HasPrefix(said, "holding") {
			held = pid(t, said)
		}
	}
	if err := w.process.SignalGroup(syscall.SIGKILL); err != nil {
		t.Errorf("SignalGroup: %v", err)
	}
	w.await(t, "emptied")
	if err := syscall.Kill(held, 0); err != nil {
		t.Errorf("the zombie is gone: %v", err)
	}
	ours.Close()
}
