package notify_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/notify"
	"hupwatch/services/process"
)

func TestHearIsCalledOnceUntilItIsTaken(t *testing.T) {
	e := open(t, newServer(t), "web", nil)
	m := newMouth(t, e.Path())
	for i := range 1000 {
		m.say(t, "RELOADING=1\nMAINPID="+fmt.Sprint(2+i))
		m.say(t, "READY=1\nSTATUS="+fmt.Sprint(i))
	}
	m.barrier(t)
	if n := e.calls.Load(); n != 1 {
		t.Errorf("hear was called %d times, want once", n)
	}
	e.want(t, notify.Message{Ready: true, MainPID: 1001, Status: "999"})
	m.say(t, "READY=1") // again, as those do that say nothing of reloading
	e.want(t, notify.Message{Ready: true, Status: "999"})
	if got, want := e.Take(), (notify.Message{Status: "999"}); got != want {
		t.Errorf("took %+v, want %+v", got, want)
	}
}

func TestWhatWasSaidBeforeAnEndCanBeTakenAtOnce(t *testing.T) {
	for range 100 {
		e := open(t, newServer(t), "web", nil)
		m := newMouth(t, e.Path())
		m.say(t, "STATUS=a")
		m.say(t, "READY=1")
		e.CatchUp()
		if got, want := e.Take(), (notify.Message{Ready: true, Status: "a"}); got != want {
			t.Fatalf("took %+v, want %+v", got, want)
		}
	}
}

func TestSocketMayBeClosedByItsCallback(t *testing.T) {
	opened, taken := make(chan *notify.Socket, 1), make(chan notify.Message)
	k, err := newServer(t).Open("web", 1, nil, func(*notify.Socket) {
		k := <-opened
		k.Close()
		taken <- k.Take()
	})
	if err != nil {
		t.Fatal(err)
	}
	newMouth(t, k.Path()).say(t, "READY=1")
	opened <- k
	if got, want := soon(t, taken, "hear has not come back"), (notify.Message{Ready: true}); got != want {
		t.Errorf("took %+v, want %+v", got, want)
	}
}

func TestNothingNewIsNotHeard(t *testing.T) {
	e := open(t, newServer(t), "web", nil)
	m := newMouth(t, e.Path())
	m.say(t, "STATUS=a")
	e.want(t, notify.Message{Status: "a"})
	for range 100 {
		m.say(t, "STATUS=a")
		m.say(t, "WATCHDOG=1\nX=y")
		m.say(t, "")
	}
	m.barrier(t)
	if n := e.calls.Load(); n != 1 {
		t.Errorf("hear was called %d times, want once", n)
	}
}

func TestStatusThatChangesAllTheTimeIsHeardNowAndThen(t *testing.T) {
	e := open(t, newServer(t), "web", nil)
	ready := make(chan struct{})
	go func() { // ends with READY=1, or with the tests
		for range e.called {
			if e.Take().Ready {
				close(ready)
				return
			}
		}
	}()
	m := newMouth(t, e.Path())
	began := time.Now()
	for i := range 1000 {
		m.say(t, "STATUS="+fmt.Sprint(i))
	}
	m.barrier(t)
	if n, most := int(e.calls.Load()), 1+int(time.Since(began)/time.Second); n < 1 || n > most {
		t.Errorf("hear was called %d times, want once a second: %d at most", n, most)
	}
	if got := e.Status(); got != "999" {
		t.Errorf("status %s, want the latest, 999", got)
	}
	m.say(t, "READY=1")
	soon(t, ready, "READY=1 was not heard at once")
}

func TestBarrierOpensWhenAllBeforeItWasHeard(t *testing.T) {
	e := open(t, newServer(t), "web", nil)
	m := newMouth(t, e.Path())
	for range 100 {
		m.say(t, "READY=1")
		m.barrier(t)
		select {
		case <-e.called:
		default:
			t.Fatal("READY=1 was not heard before the barrier")
		}
		if !e.Take().Ready {
			t.Fatal("READY=1 is not to be taken after the barrier")
		}
	}
}

func TestDescriptorsThatComeAreClosed(t *testing.T) {
	e := open(t, newServer(t), "web", nil)
	m := newMouth(t, e.Path())
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	const most = 253
	fds := make([]int, most)
	for i := range fds {
		fds[i] = int(null.Fd())
	}
	m.barrier(t)
	before := descriptors(t)
	for range 3 {
		m.say(t, "FDSTORE=1\nREADY=1", fds...)
		m.say(t, strings.Repeat("x", 5000), fds...)
		m.say(t, "", fds...)
	}
	m.barrier(t)
	if after := descriptors(t); after > before { // of sockets before, the last may close just now
		t.Errorf("%d descriptors are open, before %d", after, before)
	}
	e.want(t, notify.Message{Ready: true})
	if n := e.Refused(); n != 3 {
		t.Errorf("%d were refused, want 3", n)
	}
}

// Where hupwatch has no room for the descriptors, what comes with them counts.
func TestReadyIsHeardThoughItsDescriptorsFindNoRoom(t *testing.T) {
	e := open(t, newServer(t), "web", nil)
	m := newMouth(t, e.Path())
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	m.barrier(t)
	none := unix.Rlimit{Cur: 3, Max: limit.Max} // those that are open stay so
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &none, nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			t.Fatal(err)
		}
	}()
	m.say(t, "READY=1", int(null.Fd()), int(null.Fd()))
	e.want(t, notify.Message{Ready: true})
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestLongDatagramsAreDroppedWhole(t *testing.T) {
	e := open(t, newServer(t), "web", nil)
	m := newMouth(t, e.Path())
	m.say(t, "READY=1\nSTATUS="+strings.Repeat("x", 4096))
	m.say(t, "STOPPING=1\nX="+strings.Repeat("x", 4096-len("STOPPING=1\nX=")))
	e.want(t, notify.Message{Stopping: true})
	if n := e.Refused(); n != 1 {
		t.Errorf("%d were refused, want 1", n)
	}
}

// common is a server that every user can reach, as in /run.
func common(t *testing.T) *notify.Server {
	t.Helper()
	s := notify.New("")
	t.Cleanup(s.Close)
	return s
}

func TestOnlyItsUserAndRootAreListenedTo(t *testing.T) {
	const its, another = 65534, 65533
	if os.Getuid() != 0 {
		t.Skip("only root becomes another user")
	}
	e := open(t, common(t), "web", &process.Credential{UID: its, GID: its})
	m := newMouth(t, e.Path()) // another user may have got hold of one, but cannot open it
	if err := asUser(another, func() error { return m.send("READY=1\nSTATUS=false") }); err != nil {
		t.Fatal(err)
	}
	m.barrier(t)
	if n := e.Refused(); n != 1 || e.calls.Load() > 0 {
		t.Errorf("%d refused and %d heard, want 1 and none", n, e.calls.Load())
	}
	sends := func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, []byte("READY=1"), 0, &unix.SockaddrUnix{Name: e.Path()})
	}
	if err := asUser(another, sends); !errors.Is(err, unix.EACCES) {
		t.Errorf("another user sends: %v, want %v", err, unix.EACCES)
	}
	for _, uid := range []int{its, 0} {
		if err := asUser(uid, sends); err != nil {
			t.Fatal(err)
		}
		e.want(t, notify.Message{Ready: true})
	}
}

func TestSystemdNotifyIsHeard(t *testing.T) {
	program, err := exec.LookPath("systemd-notify")
	if err != nil {
		t.Skip("there is no systemd-notify")
	}
	s := common(t)
	for uid, name := range map[uint32]string{0: "root", 65534: "nobody"} {
		if int(uid) != os.Getuid() && os.Getuid() != 0 {
			continue
		}
		e := open(t, s, name, &process.Credential{UID: uid, GID: uid})
		cmd := exec.Command(program, "--ready", "--pid=4711", "--status=all well")
		cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+e.Path())
		if uid != 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		}
		if out, err := cmd.CombinedOutput(); err != nil { // a barrier that is not opened is an error
			t.Errorf("%s: %v: %s", name, err, out)
		}
		e.want(t, notify.Message{Ready: true, MainPID: 4711, Status: "all well"})
	}
}

func TestLastWordsAreTakenAfterClose(t *testing.T) {
	e := open(t, newServer(t), "web", nil)
	m := newMouth(t, e.Path())
	m.say(t, "READY=1")
	m.say(t, "ERRNO=98\nSTATUS=cannot bind")
	e.Close()
	if got, want := e.Take(), (notify.Message{Ready: true, Status: "cannot bind"}); got != want {
		t.Errorf("took %+v, want %+v", got, want)
	}
	if _, err := os.Lstat(e.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path is still there: %v", err)
	}
	if got, want := e.Take(), (notify.Message{Status: "cannot bind"}); got != want {
		t.Errorf("took %+v, want %+v", got, want)
	}
}
