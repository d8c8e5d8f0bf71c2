package probe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/probe"
)

// patience is a Timeout that no test means to see expire.
const patience = time.Minute

// serve has a server of its own for each connection, until the test ends, and
// returns its address.
func serve(t testing.TB, network string, server func(net.Conn)) string {
	t.Helper()
	l := listen(t, network)
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				server(conn)
			}()
		}
	}()
	return l.Addr().String()
}

func listen(t testing.TB, network string) net.Listener {
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
	return l
}

// stall holds on to a connection until it is closed.
func stall(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// mustFail fails unless the attempt does, with just this error.
func mustFail(t *testing.T, target probe.Target, want string) {
	t.Helper()
	if target.Timeout == 0 {
		target.Timeout = patience
	}
	err := probe.Check(t.Context(), target, nil)
	if err == nil || err.Error() != want {
		t.Errorf("%s: %v, want %s", target, err, want)
	}
}

func mustSucceed(t *testing.T, target probe.Target) {
	t.Helper()
	target.Timeout = patience
	if err := probe.Check(t.Context(), target, nil); err != nil {
		t.Errorf("%s: %v", target, err)
	}
}

func TestAnAcceptedConnectionIsASuccess(t *testing.T) {
	t.Parallel()
	for _, network := range []config.ReadyKind{config.ReadyTCP, config.ReadyUnix} {
		closed := make(chan error, 1)
		address := serve(t, string(network), func(conn net.Conn) {
			_, err := conn.Read(make([]byte, 1))
			closed <- err
		})
		mustSucceed(t, probe.Target{Kind: network, Address: address})
		if err := <-closed; err == nil || err.Error() != "EOF" {
			t.Errorf("%s: the server reads %v, want that the connection is closed and no more", network, err)
		}
	}
}

func TestWhatCannotBeReachedIsSaidInWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, "left")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	tcp := listen(t, "tcp")
	tcp.Close()
	closed := tcp.Addr().String()

	for _, c := range []struct {
		target probe.Target
		want   string
	}{
		{probe.Target{Kind: config.ReadyTCP, Address: closed}, "connection refused"},
		{probe.Target{Kind: config.ReadyHTTP, URL: "http://" + closed}, "connection refused"},
		{probe.Target{Kind: config.ReadyUnix, Address: left}, "connection refused"},
		{probe.Target{Kind: config.ReadyUnix, Address: dir + "/none"}, "no such file or directory"},
		{probe.Target{Kind: config.ReadyHTTP, URL: "http://x/", Address: dir + "/none"}, "no such file or directory"},
		{probe.Target{Kind: config.ReadyUnix, Address: dir + strings.Repeat("/long", 50)}, "the path is too long for a socket"},
		{probe.Target{Kind: config.ReadyHTTP, URL: "http://x:y/"}, `parse its URL: invalid port ":y" after host`},
		{probe.Target{Kind: config.ReadyHTTP, URL: "http://:8000/"}, "its URL names no host"},
		{probe.Target{Kind: config.ReadyHTTP, URL: "ftp://x/"}, "its URL begins with neither http:// nor https://"},
		{probe.Target{Kind: config.ReadyHTTP, URL: "http://x/", Address: left, Headers: map[string]string{"host": "xn--é"}}, `write the request: idna: invalid label "é"`},
		{probe.Target{Kind: config.ReadyNotify}, `"notify" is nothing to connect to`},
	} {
		mustFail(t, c.target, c.want)
	}
}

func TestANameThatIsNotFoundIsSaid(t *testing.T) {
	t.Parallel()
	err := probe.Check(t.Context(), probe.Target{Kind: config.ReadyTCP, Address: "no.such.host.invalid:80", Timeout: patience}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "look up no.such.host.invalid: ") {
		t.Errorf("%v, want what the look-up came to", err)
	}
}

func TestAFullQueueOfConnectionsIsNoSuccess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	fill(t, "unix", &syscall.SockaddrUnix{Name: path})
	mustFail(t, probe.Target{Kind: config.ReadyUnix, Address: path}, "its queue of connections is full")

	address := fill(t, "tcp", &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	mustFail(t, probe.Target{Kind: config.ReadyTCP, Address: address, Timeout: 50 * time.Millisecond}, "no connection within 50ms")
	mustFail(t, probe.Target{Kind: config.ReadyHTTP, URL: "http://" + address, Timeout: 50 * time.Millisecond}, "no connection within 50ms")
}

// fill listens without ever accepting, with a queue that is full, and returns
// the address.
func fill(t *testing.T, network string, address syscall.Sockaddr) string {
	t.Helper()
	family := syscall.AF_INET
	if network == "unix" {
		family = syscall.AF_UNIX
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	l := os.NewFile(uintptr(fd), "listener")
	t.Cleanup(func() { l.Close() })
	if err := errors.Join(syscall.Bind(fd, address), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	name := ""
	switch bound := bound.(type) {
	case *syscall.SockaddrUnix:
		name = bound.Name
	case *syscall.SockaddrInet4:
		name = fmt.Sprintf("127.0.0.1:%d", bound.Port)
	}
	refused := 0
	for range 100 {
		conn, err := net.DialTimeout(network, name, 100*time.Millisecond)
		if err != nil {
			if refused++; refused == 3 { // on a busy host one may just be late
				return name
			}
			continue
		}
		refused = 0
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("the queue cannot be filled here")
	return ""
}

func TestAnAttemptEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	address := serve(t, "tcp", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1<<10))
		cancel()
		stall(conn)
	})
	err := probe.Check(ctx, probe.Target{Kind: config.ReadyHTTP, URL: "http://" + address, Timeout: patience}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	if err := probe.Check(ctx, probe.Target{Kind: config.ReadyTCP, Address: address, Timeout: patience}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("when it is done already: %v, want %v", err, context.Canceled)
	}
}
