package notify_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/notify"
	"hupwatch/services/process"
)

func newServer(t *testing.T) *notify.Server {
	t.Helper()
	s := notify.New(filepath.Join(t.TempDir(), "n"))
	t.Cleanup(s.Close)
	return s
}

// ear is one socket with what was heard there.
type ear struct {
	*notify.Socket
	calls  atomic.Int32
	called chan struct{}
}

func newEar() *ear { return &ear{called: make(chan struct{}, 1)} }

func (e *ear) hear(*notify.Socket) {
	e.calls.Add(1)
	select {
	case e.called <- struct{}{}:
	default:
	}
}

func open(t *testing.T, s *notify.Server, service string, as *process.Credential) *ear {
	t.Helper()
	e := newEar()
	var err error
	if e.Socket, err = s.Open(service, 1, as, e.hear); err != nil {
		t.Fatal(err)
	}
	return e
}

// await returns what was said once hear is called.
func (e *ear) await(t *testing.T) notify.Message {
	t.Helper()
	soon(t, e.called, "hear was not called")
	return e.Take()
}

// want awaits a message.
func (e *ear) want(t *testing.T, want notify.Message) {
	t.Helper()
	if got := e.await(t); got != want {
		t.Errorf("heard %+v, want %+v", got, want)
	}
}

func soon[T any](t testing.TB, c <-chan T, otherwise string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatal(otherwise)
	}
	return v
}

// mouth is a socket that sends to one that is open.
type mouth int

func newMouth(t *testing.T, path string) mouth {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	return mouth(fd)
}

func (m mouth) send(text string, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(int(m), []byte(text), rights, nil, unix.MSG_NOSIGNAL)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func (m mouth) say(t *testing.T, text string, fds ...int) {
	t.Helper()
	if err := m.send(text, fds...); err != nil {
		t.Fatalf("send %.20q: %v", text, err)
	}
}

// barrier returns when all that was sent before has been heard.
func (m mouth) barrier(t *testing.T) {
	t.Helper()
	closed := make(chan error, 1)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m.say(t, "BARRIER=1", int(w.Fd()))
	w.Close()
	go func() {
		_, err := r.Read(make([]byte, 1))
		closed <- err
	}()
	soon(t, closed, "the descriptor of a barrier was not closed")
}

// asUser runs f in a thread that is another user's, and is not used again.
func asUser(uid int, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with this
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			done <- errno
			return
		}
		done <- f()
	}()
	return <-done
}
