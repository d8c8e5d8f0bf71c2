package process_test

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

// connected starts a helper that a line leads to.
func connected(t *testing.T, table *process.Table, part string, args ...string) (w *watch, ours *line) {
	t.Helper()
	ours, theirs := newLine(t)
	spec := helper(part, args...)
	spec.Stdout = theirs
	w = start(t, table, spec)
	unix.Close(theirs)
	w.await(t, "execed")
	return w, ours
}

func TestMembersOfTheSessionAreKnownAndSignalledOthersAreNot(t *testing.T) {
	table := newTable(t)
	w, ours := connected(t, table, "orphan", "hold")
	w.await(t, "exited")
	child := pid(t, ours.hear(t))
	other, toOther := connected(t, table, "hold")
	toOther.hear(t)

	for name, number := range map[string]int{
		"hupwatch": os.Getpid(), "a thread of it": unix.Gettid(), "init": 1, "the main process that has ended": w.process.PID(),
		"another service": other.process.PID(), "nobody": 1 << 30, "zero": 0, "the group": -w.process.PID(),
	} {
		if w.process.Member(number) {
			t.Errorf("%s (%d) is a member", name, number)
		}
		if err := w.process.SignalMember(number, syscall.SIGKILL); !errors.Is(err, process.ErrGone) {
			t.Errorf("signal to %s: %v, want %v", name, err, process.ErrGone)
		}
	}
	if !other.process.Member(other.process.PID()) {
		t.Error("a main process is no member of its own session")
	}
	toOther.Close()
	other.await(t, "exited", "emptied")
	if other.exit != (process.Exit{}) {
		t.Errorf("the other service ended with %+v", other.exit)
	}
	if !w.process.Member(child) {
		t.Error("the child that was left behind is no member")
	}
	if err := w.process.SignalMember(child, syscall.SIGKILL); err != nil {
		t.Errorf("signal to the child: %v", err)
	}
	ours.ended(t)
	w.await(t, "emptied")
	if w.process.Member(child) {
		t.Error("the child is still a member after its end")
	}
	if err := w.process.SignalMember(child, syscall.SIGTERM); !errors.Is(err, process.ErrGone) {
		t.Errorf("signal to the child after its end: %v, want %v", err, process.ErrGone)
	}
}

func TestMainProcessIsSignalledAsAMemberToo(t *testing.T) {
	w, _ := connected(t, newTable(t), "hold")
	if err := w.process.SignalMember(w.process.PID(), syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	w.await(t, "exited", "emptied")
	if w.exit.Signal != syscall.SIGKILL {
		t.Errorf("exit %+v, want %v", w.exit, syscall.SIGKILL)
	}
}

// helpEscape has left the group but not the session, and its child, a zombie once
// it is killed, is in the group.
func TestZombieIsNoMemberButWhatLeftTheGroupIs(t *testing.T) {
	w, ours := connected(t, newTable(t), "orphan", "escape")
	w.await(t, "exited")
	said := []string{ours.hear(t), ours.hear(t)}
	slices.Sort(said)
	escaped, held := pid(t, said[0]), pid(t, said[1])
	for _, number := range []int{escaped, held} {
		if !w.process.Member(number) {
			t.Errorf("%d is no member", number)
		}
	}
	if err := w.process.SignalMember(held, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	awaitEnd(held)
	if w.process.Member(held) {
		t.Error("a zombie is a member")
	}
	ours.Close()
	awaitEnd(escaped)
	w.await(t, "emptied")
}
