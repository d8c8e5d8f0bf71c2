package process_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
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
		if want := (process.Exit{Code: 7, Rest: true}); w.exit != want {
			t.Errorf("exit %+v, want %+v", w.exit, want)
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

func TestZombieLeftByTheMainProcessIsNoRest(t *testing.T) {
	table := newTable(t)
	for range 20 {
		if got := run(t, table, helper("careless")); got != (process.Exit{}) {
			t.Fatalf("exit %+v, want nothing left", got)
		}
	}
}

func TestKilledGroupIsEmptyThoughAZombieIsNeverReaped(t *testing.T) {
	table := newTable(t)
	ours, theirs := newLine(t)
	spec := helper("orphan", "escape")
	spec.Stdout = theirs
	w := start(t, table, spec)
	unix.Close(theirs)
	w.await(t, "execed", "exited")
	said := []string{ours.hear(t), ours.hear(t)}
	slices.Sort(said)
	escaped, held := pid(t, said[0]), pid(t, said[1])
	if err := w.process.SignalGroup(syscall.SIGKILL); err != nil {
		t.Errorf("SignalGroup: %v", err)
	}
	w.await(t, "emptied")
	if err := syscall.Kill(held, 0); err != nil {
		t.Errorf("the zombie is gone: %v", err)
	}
	ours.Close()
	awaitEnd(escaped)
}

// The last member of the group is reaped by a parent outside of it, so that the
// table cannot notice, and the number is given to the next process at once.
func TestReusedNumberIsNeverSignalled(t *testing.T) {
	const lastPID = "/proc/sys/kernel/ns_last_pid"
	if f, err := os.OpenFile(lastPID, os.O_WRONLY, 0); err != nil {
		t.Skipf("the next process number cannot be chosen here: %v", err)
	} else {
		f.Close()
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	table := newTable(t)
	ours, theirs := newLine(t)
	spec := helper("orphan", "nurse")
	spec.Stdout = theirs
	old := start(t, table, spec)
	unix.Close(theirs)
	old.await(t, "execed", "exited")
	said := []string{ours.hear(t), ours.hear(t)}
	slices.Sort(said)
	escaped, held := pid(t, said[0]), pid(t, said[1])
	if err := syscall.Kill(held, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ours.hear(t) // buried: nobody has the number any more

	number := old.process.PID()
	var reused *watch
	for range 50 { // others start processes too
		if err := os.WriteFile(lastPID, []byte(strconv.Itoa(number-1)), 0); err != nil {
			t.Skipf("the next process number cannot be chosen here: %v", err)
		}
		w := start(t, table, cat(fifo))
		if w.process.PID() == number {
			reused = w
			break
		}
		w.await(t, "execed")
		w.process.Signal(syscall.SIGKILL)
		w.await(t, "exited", "emptied")
	}
	if reused == nil {
		t.Skip("the number was not to be had")
	}

	if err := old.process.SignalGroup(syscall.SIGKILL); !errors.Is(err, process.ErrGone) {
		t.Errorf("SignalGroup: %v, want ErrGone", err)
	}
	old.await(t, "emptied")
	reused.await(t, "execed")
	if err := reused.process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("Signal: %v", err)
	}
	reused.await(t, "exited", "emptied")
	if reused.exit.Signal != syscall.SIGTERM {
		t.Errorf("the new owner of the number got %+v, want the TERM alone", reused.exit)
	}
	ours.Close()
	awaitEnd(escaped)
}
