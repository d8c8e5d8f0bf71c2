package task_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"hupwatch/services/process"
	"hupwatch/services/task"
)

// run runs a command to its end, which must not be forced.
func run(t *testing.T, table *process.Table, spec process.Spec) task.Outcome {
	t.Helper()
	o, err := task.Run(t.Context(), table, spec)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

type result struct {
	task.Outcome
	err error
}

// inBackground runs a command, and hands on what comes of it.
func inBackground(ctx context.Context, table *process.Table, spec process.Spec) <-chan result {
	ended := make(chan result, 1)
	go func() {
		o, err := task.Run(ctx, table, spec)
		ended <- result{o, err}
	}()
	return ended
}

// onLine gives a command one end of a line as descriptor 3, until started closes
// it.
func onLine(t *testing.T, spec process.Spec) (ours *line, _ process.Spec, started func()) {
	t.Helper()
	ours, theirs := newLine(t)
	spec.Sockets = []int{int(theirs.Fd())}
	return ours, spec, func() { theirs.Close() }
}

func TestTheLastLinesAreReturned(t *testing.T) {
	table := newTable(t)
	var numbers []string
	for i := range 20 {
		numbers = append(numbers, strconv.Itoa(99981+i))
	}
	for script, want := range map[string][]string{
		"exit 1":                               nil,
		"echo; echo":                           nil,
		"echo out; echo error >&2; echo again": {"out", "error", "again"},
		"printf 'no end'":                      {"no end"},
		`printf 'a\r\nb\n\n\tc\n\n'`:           {"a", "b", "", "\tc"},
		`printf '\033[2Jx\377'`:                {`\x1b[2Jx\xff`},
		"seq 1 100000":                         numbers,
		"printf %0100000d 5":                   {strings.Repeat("0", 4095) + "5"},
		"printf '%04000d\\n%0200d\\n' 1 2":     {strings.Repeat("0", 199) + "2"},
		"exec >&- 2>&-; exit 1":                nil,
	} {
		o := run(t, table, sh(script))
		if !slices.Equal(o.Tail, want) {
			t.Errorf("%s: %.300q, want %.300q", script, o.Tail, want)
		}
		code := 0
		if strings.Contains(script, "exit 1") {
			code = 1
		}
		if want := (process.Exit{Code: code}); o.Exit != want {
			t.Errorf("%s: %+v, want %+v", script, o.Exit, want)
		}
	}
}

func TestACommandThatCannotBeRunIsTold(t *testing.T) {
	spec := sh("")
	spec.Path = "/no/such/check"
	const want = "exec /no/such/check: no such file or directory"
	if e := run(t, newTable(t), spec).Exit; e.Err == nil || e.Err.Error() != want {
		t.Errorf("%+v, want %s", e, want)
	}
}

func TestNothingOfTheGroupOutlivesTheCommand(t *testing.T) {
	ours, spec, started := onLine(t, sh("sleep 1000 & echo said; exit 5"))
	o := run(t, newTable(t), spec)
	started()
	if want := (process.Exit{Code: 5, Rest: true}); o.Exit != want || !slices.Equal(o.Tail, []string{"said"}) {
		t.Errorf("%+v, want that it said so and ended with 5", o)
	}
	ours.ended(t)
}

// A daemon of its own has left the group, and may keep the pipe for ever.
func TestRunDoesNotWaitForWhatLeftTheGroup(t *testing.T) {
	for name, daemon := range map[string]string{"silent": "exec cat <&3", "talkative": "exec yes"} {
		t.Run(name, func(t *testing.T) {
			ours, spec, started := onLine(t, sh("echo first; setsid sh -c 'echo here >&3; "+daemon+"' & read go <&4"))
			gate, theirs := newLine(t)
			spec.Sockets = append(spec.Sockets, int(theirs.Fd()))
			ended := inBackground(t.Context(), newTable(t), spec)
			ours.hear(t, "here")
			gate.say(t, "go")
			r := <-ended
			started()
			if want := (process.Exit{}); r.err != nil || r.Exit != want || len(r.Tail) == 0 {
				t.Errorf("%+v, want the end, and what was said", r)
			}
			if name == "silent" {
				ours.Close() // which is what it ends by; the other one has nowhere to write to
				return
			}
			ours.ended(t)
		})
	}
}

func TestACommandIsKilledAtTheEndOfItsContext(t *testing.T) {
	ours, spec, started := onLine(t, sh("sleep 1000 & echo waiting; echo here >&3; wait"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := inBackground(ctx, newTable(t), spec)
	ours.hear(t, "here")
	cancel()
	r := <-ended
	started()
	if !errors.Is(r.err, context.Canceled) || r.Exit.Signal != syscall.SIGKILL || !slices.Equal(r.Tail, []string{"waiting"}) {
		t.Errorf("%+v, want that it was killed while it was waiting", r)
	}
	ours.ended(t)
}

func TestNothingIsRunForAContextThatIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	made := t.TempDir() + "/made"
	if _, err := task.Run(ctx, newTable(t), sh("touch "+made)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	if _, err := os.Stat(made); err == nil {
		t.Error("it was run")
	}
}

func TestAnotherUserCanOpenItsOutput(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	spec := sh("echo by name > /dev/stderr")
	spec.Credential, spec.Dir = &process.Credential{UID: 65534, GID: 65534}, "/"
	if o := run(t, newTable(t), spec); !slices.Equal(o.Tail, []string{"by name"}) || o.Exit != (process.Exit{}) {
		t.Errorf("%+v, want what it wrote by name", o)
	}
}

func TestNoDescriptorStaysOpen(t *testing.T) {
	table := newTable(t)
	run(t, table, sh(""))
	before := descriptors(t)
	for range 20 {
		run(t, table, sh(""))
		run(t, table, throughStub(sh("")))
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, %d after the runs", before, after)
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
