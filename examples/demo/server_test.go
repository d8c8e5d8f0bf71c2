package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/examples/load"
)

// shared is a listening socket that any number of generations may be handed,
// as a supervisor owns it.
type shared struct {
	network, address string
	raw              syscall.RawConn
}

func newShared(t *testing.T, network string) *shared {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return &shared{network, l.Addr().String(), raw}
}

// hand returns the listener of one more generation, inherited as a process would.
func (s *shared) hand(t *testing.T) []net.Listener {
	t.Helper()
	var fd int
	var dupErr error
	// Not File(), whose Fd() would make the socket block under those who have it.
	err := s.raw.Control(func(own uintptr) { fd, dupErr = syscall.Dup(int(own)) })
	if err != nil || dupErr != nil {
		t.Fatal(err, dupErr)
	}
	listeners, err := inherited(env("1"), os.Getpid(), fd)
	if err != nil {
		t.Fatal(err)
	}
	return listeners
}

// env is the environment in which this process is handed that many sockets.
func env(fds string) func(string) string {
	return func(key string) string {
		return map[string]string{"LISTEN_PID": strconv.Itoa(os.Getpid()), "LISTEN_FDS": fds}[key]
	}
}

// generation is a server under way.
type generation struct {
	name  string
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, name string, listeners []net.Listener) *generation {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	g := &generation{name: name, stop: cancel, ended: make(chan error, 1)}
	go func() { g.ended <- newServer(name).serve(ctx, listeners) }()
	return g
}

// serves tells answers of the generation.
func (g *generation) serves(a load.Answer) bool {
	return a.Class == load.OK && a.Body == g.name
}

func TestGenerationsThatShareASocketLoseNoRequest(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			socket := newShared(t, network)
			active := start(t, "release-0", socket.hand(t))
			l := load.Start(t.Context(), load.Config{
				Network: socket.network, Address: socket.address,
				Fresh: 8, KeepAlive: 8, Slow: 4, SlowPath: "/slow?ms=150", Pause: 10 * time.Millisecond,
			})

			var promoted time.Time
			for i := range 8 {
				incoming := start(t, fmt.Sprint("release-", i+1), socket.hand(t))
				if _, err := l.Await(t.Context(), incoming.serves); err != nil {
					t.Fatal(err)
				}
				active.stop()
				if err := <-active.ended; err != nil {
					t.Errorf("stop %s: %v", active.name, err)
				}
				active, promoted = incoming, time.Now()
			}
			if _, err := l.Await(t.Context(), func(a load.Answer) bool { return a.Begun.After(promoted) }); err != nil {
				t.Fatal(err)
			}
			result := l.Stop()
			active.stop()
			<-active.ended

			if result.Failures() > 0 || result.Count(load.OK, load.Slow) == 0 {
				t.Errorf("want no failure, and slow requests:\n%s", result)
			}
			for a := range result.After(promoted) {
				if a.Body != active.name {
					t.Errorf("%q answered after it had ended, want %q", a.Body, active.name)
				}
			}
			t.Log("\n" + result.String())
		})
	}
}

// A connection may be accepted, and its request still be on the way, when the
// stop begins. Shutdown alone would close it.
func TestAConnectionThatHasNotAskedYetIsAnswered(t *testing.T) {
	t.Parallel()
	socket := newShared(t, "unix")
	listeners := socket.hand(t)
	s := newServer("release-1")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, listeners) }()

	c, err := net.Dial(socket.network, socket.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-s.changed // accepted
	cancel()
	<-s.stopping
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: demo.test\r\n\r\n")

	answer := make([]byte, 1024)
	n, err := c.Read(answer)
	if text := string(answer[:n]); err != nil || !strings.Contains(text, "release-1") || !strings.Contains(text, "Connection: close") {
		t.Errorf("answer %q, %v, want one that says who and that the connection closes", text, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
