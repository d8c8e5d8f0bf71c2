package notify_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/notify"
)

// flood sends the text as fast as it can, four times over, until it is stopped.
func flood(t *testing.T, m mouth, text string) (stop func()) {
	t.Helper()
	var stopped atomic.Bool
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for !stopped.Load() {
				if err := m.send(text); err != nil {
					t.Errorf("flood: %v", err)
					return
				}
			}
		})
	}
	return func() { stopped.Store(true); senders.Wait() }
}

// babble writes what is no line to a pipe as fast as it can, until that is closed.
func babble(t *testing.T, s *notify.Server) (stop func()) {
	t.Helper()
	p, err := s.Pipe(nil, func(ready bool) { t.Errorf("babble is heard as %v", ready) })
	if err != nil {
		t.Fatal(err)
	}
	writer, err := unix.FcntlInt(uintptr(p.WriteEnd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var stopped atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		for text := []byte(strings.Repeat("x", 4096)); !stopped.Load(); {
			if _, err := unix.Write(writer, text); err != nil {
				t.Errorf("babble: %v", err)
				return
			}
		}
	})
	return func() { stopped.Store(true); done.Wait(); p.Close(); unix.Close(writer) }
}

// What bounds a flood is how much is read of it in a window of time, so that holds
// however long the machine takes for anything.
func TestFloodDoesNotDelayOthers(t *testing.T) {
	const perWindow, window = 16, 10 * time.Millisecond
	s := newServer(t)
	quiet, loud := open(t, s, "quiet", nil), open(t, s, "loud", nil)
	m, toLoud := newMouth(t, quiet.Path()), newMouth(t, loud.Path())
	rounds := func() time.Duration {
		began := time.Now()
		for range 200 {
			m.say(t, "READY=1")
			if !quiet.await(t).Ready {
				t.Fatal("READY=1 was not heard")
			}
		}
		return time.Since(began)
	}

	alone := rounds()
	stop := flood(t, toLoud, strings.Repeat("x", 5000)) // of which each that is read counts as refused
	defer stop()
	stopBabble := babble(t, s)
	defer stopBabble()
	began, before := time.Now(), loud.Refused()
	beside := rounds()
	read, most := loud.Refused()-before, perWindow*(2+int(time.Since(began)/window))
	t.Logf("200 times READY=1 took %v, beside a flood %v; %d datagrams of that were read", alone, beside, read)
	if read > most {
		t.Errorf("%d datagrams of the flood were read, want %d at most", read, most)
	}
	if limit := 50*alone + 5*time.Second; beside > limit {
		t.Errorf("beside the flood it took %v, alone %v", beside, alone)
	}
}

func TestReadyIsHeardInItsOwnFlood(t *testing.T) {
	e := open(t, newServer(t), "web", nil)
	m := newMouth(t, e.Path())
	stop := flood(t, m, "STATUS=busy\nWATCHDOG=1")
	defer stop()
	for range 10 {
		m.say(t, "READY=1")
		for !e.await(t).Ready {
		}
	}
}

// A close of a connection that has yet to send lasts until it has, or somebody's
// patience ends: here a minute. Whoever's goroutine does that must not be the one
// that hears the others.
func TestDescriptorThatIsSlowToCloseDelaysNobodyElse(t *testing.T) {
	s := newServer(t)
	bad, good := open(t, s, "bad", nil), open(t, s, "good", nil)
	toBad, toGood := newMouth(t, bad.Path()), newMouth(t, good.Path())
	resume := hold(t, s)
	for range 2 {
		fd := lingering(t)
		toBad.say(t, "STOPPING=1", fd)
		unix.Close(fd) // not the last: that one is on the way
	}
	resume()
	if !bad.await(t).Stopping {
		t.Error("what came with the descriptor was not heard")
	}
	for range 10 {
		toGood.say(t, "READY=1")
		good.want(t, notify.Message{Ready: true})
	}
	closed := make(chan struct{})
	go func() {
		bad.Close()
		close(closed)
	}()
	soon(t, closed, "to close the socket takes as long")
	if !bad.Take().Stopping {
		t.Error("what came with the second one is not to be taken")
	}
}

// hold has nothing read until resume is called.
func hold(t *testing.T, s *notify.Server) (resume func()) {
	t.Helper()
	entered, left := make(chan struct{}), make(chan struct{})
	k, err := s.Open("hold", 1, nil, func(*notify.Socket) { close(entered); <-left })
	if err != nil {
		t.Fatal(err)
	}
	newMouth(t, k.Path()).say(t, "READY=1")
	soon(t, entered, "READY=1 was not heard")
	return func() { close(left) }
}

// lingering is a descriptor whose last close takes a minute unless the other side
// of the connection goes away, which it does with the test.
func lingering(t *testing.T) int {
	t.Helper()
	server, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(server)
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Bind(server, loopback); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(server, 1); err != nil {
		t.Fatal(err)
	}
	address, err := unix.Getsockname(server)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, address); err != nil {
		t.Fatal(err)
	}
	peer, _, err := unix.Accept4(server, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(peer) })
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 60}); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until the peer's buffer is full, which nobody empties
		_, err = unix.SendmsgN(fd, make([]byte, 1<<16), nil, nil, unix.MSG_DONTWAIT)
	}
	return fd
}

// Every such close takes a thread and the descriptors, until the service's user
// pleases: generation after generation, they were the end of hupwatch.
func TestServiceWhoseDescriptorsCannotBeClosedGetsNoMoreSockets(t *testing.T) {
	s := newServer(t)
	defer hold(t, s)() // so that the last close is not the test's
	const most = 100
	for n := 1; ; n++ {
		k, err := s.Open("web", n, nil, func(*notify.Socket) {})
		if err != nil {
			if !strings.Contains(err.Error(), "hangs") {
				t.Error(err)
			}
			break
		}
		if n == most {
			t.Fatalf("%d generations have left what hangs", most)
		}
		fd := lingering(t)
		newMouth(t, k.Path()).say(t, "READY=1", fd)
		unix.Close(fd)
		k.Close()
	}
	open(t, s, "db", nil)
}
