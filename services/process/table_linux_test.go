package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

func TestNoExitIsLostAmongStrangers(t *testing.T) {
	var found storm
	out := output(t, newTable(t), helper("storm", strconv.Itoa(2000/scale)))
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if found != (storm{}) {
		t.Errorf("after %d children, half of which left a stranger: %+v, want none", 2000/scale, found)
	}
}

func TestEveryExitCodeArrives(t *testing.T) {
	table := newTable(t)
	for code := 0; code < 256; code += scale { //nolint:modernize // the step is not 1 under the race detector
		want := process.Exit{Code: code}
		if got := run(t, table, helper("exit", strconv.Itoa(code))); got != want {
			t.Errorf("exit %d: %+v", code, got)
		}
	}
}

func TestEverySignalArrives(t *testing.T) {
	fifo := t.TempDir() + "/fifo"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	table := newTable(t)
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		switch sig { // the others are what is tried
		case syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGURG, syscall.SIGWINCH, // ignored by default
			syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU,
			syscall.SIGQUIT, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE,
			syscall.SIGSEGV, syscall.SIGXCPU, syscall.SIGXFSZ, syscall.SIGSYS: // may write a core
			continue
		}
		w := start(t, table, cat(fifo))
		w.await(t, "execed")
		if err := w.process.Signal(sig); err != nil {
			t.Errorf("Signal(%v): %v", sig, err)
		}
		w.await(t, "exited", "emptied")
		if want := (process.Exit{Code: -1, Signal: sig}); w.exit != want {
			t.Errorf("%v: %+v", sig, w.exit)
		}
		if err := w.process.Signal(sig); !errors.Is(err, process.ErrGone) {
			t.Errorf("Signal after the end: %v, want ErrGone", err)
		}
	}
}

func TestExitsBeforeRunAreToldByRun(t *testing.T) {
	table := process.NewTable()
	ours, theirs := newLine(t)
	spec := helper("exit", "3")
	spec.Stdout = theirs
	w := start(t, table, spec)
	unix.Close(theirs)
	w.await(t, "execed")
	ours.ended(t)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- table.Run(ctx) }()
	w.await(t, "exited", "emptied")
	cancel()
	if err := <-done; err != nil || w.exit.Code != 3 {
		t.Errorf("Run: %v, exit %+v", err, w.exit)
	}
}

func TestDescriptorsDoNotGrowInNumber(t *testing.T) {
	table := newTable(t)
	run(t, table, cat("/dev/null"))
	run(t, table, throughStub(cat("/dev/null")))
	before := descriptors(t)
	for range 350 / scale {
		run(t, table, cat("/dev/null"))
		run(t, table, throughStub(cat("/dev/null")))
		broken := throughStub(cat())
		broken.Path = "/nowhere"
		start(t, table, broken).await(t, "exited", "emptied")
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, %d after the starts", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestIdentityIsOfOneProcessOnly(t *testing.T) {
	table := newTable(t)
	ours, theirs := newLine(t)
	spec := helper("hold")
	spec.Stdout = theirs
	w := start(t, table, spec)
	unix.Close(theirs)
	ours.hear(t)

	id := w.process.Identity()
	if id.PID != w.process.PID() || !id.Alive() {
		t.Errorf("%+v is not alive", id)
	}
	for _, other := range []process.Identity{
		{PID: id.PID, Start: id.Latest + 1, Latest: id.Latest + 1, Boot: id.Boot},
		{PID: id.PID, Start: id.Start - 1, Latest: id.Start - 1, Boot: id.Boot},
		{PID: id.PID, Start: id.Start, Latest: id.Latest, Boot: "another"},
		{PID: os.Getpid(), Start: id.Start, Latest: id.Latest, Boot: id.Boot},
	} {
		if other.Alive() {
			t.Errorf("%+v is alive, though only %+v is", other, id)
		}
	}
	ours.Close()
	w.await(t, "execed", "exited", "emptied")
	if id.Alive() {
		t.Errorf("%+v is alive after its end", id)
	}
}

func TestMarkedProcessesAreFound(t *testing.T) {
	table := newTable(t)
	mark := "test" + strconv.FormatInt(time.Now().UnixNano(), 36)
	marked := func(part string, args ...string) (process.Spec, *line, int) {
		ours, theirs := newLine(t)
		spec := helper(part, args...)
		spec.Env = append(spec.Env, process.MarkVariable+"="+mark+"/web.1/12")
		spec.Stdout = theirs
		return spec, ours, theirs
	}

	spec, leading, end := marked("hold")
	leader := start(t, table, spec)
	unix.Close(end)
	leading.hear(t)

	spec, left, end := marked("orphan", "hold")
	gone := start(t, table, spec)
	unix.Close(end)
	orphan := pid(t, left.hear(t))
	gone.await(t, "execed", "exited")

	found, err := process.FindMarked(mark)
	if err != nil || len(found) != 2 {
		t.Fatalf("found %+v, %v; want two", found, err)
	}
	for _, l := range found {
		if l.Service != "web.1" || l.Generation != 12 || !l.Alive() {
			t.Errorf("found %+v, want web.1, generation 12, alive", l)
		}
		switch l.PID {
		case leader.process.PID():
			if id := leader.process.Identity(); !l.Leader || l.Start < id.Start || l.Start > id.Latest {
				t.Errorf("found %+v, want the leader %+v", l, id)
			}
		case orphan:
			if l.Leader {
				t.Errorf("found the orphan as a leader: %+v", l)
			}
		default:
			t.Errorf("found a stranger: %+v", l)
		}
	}
	if others, err := process.FindMarked(mark[:len(mark)-1]); err != nil || len(others) > 0 {
		t.Errorf("found %+v, %v by another mark", others, err)
	}

	leading.Close()
	left.Close()
	leader.await(t, "execed", "exited", "emptied")
	gone.await(t, "emptied")
}
