package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manner is how a scripted service answers over HTTP: with its name and generation
// unless its script says otherwise, and who demands a header refuses those without.
type manner struct {
	code         int
	text         string
	header, want string
}

var manners atomic.Pointer[manner]

func (m manner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m := manners.Load(); m != nil {
		m.answer(w, r)
		return
	}
	manner{}.answer(w, r)
}

func (m manner) answer(w http.ResponseWriter, r *http.Request) {
	got := r.Header.Get(m.header)
	if m.header == "Host" {
		got = r.Host
	}
	switch {
	case m.header != "" && got != m.want:
		http.Error(w, fmt.Sprintf("%s is %q", m.header, got), http.StatusForbidden)
	case m.code != 0:
		http.Error(w, m.text, m.code)
	default:
		fmt.Fprintf(w, "%s %s", os.Getenv("HUPWATCH_SERVICE"), os.Getenv("HUPWATCH_GENERATION"))
	}
}

// listenAt opens the address of a script: the number of a descriptor that the
// process has, HOST:PORT, which it shares with others that do so, or the path of a
// unix socket, where it removes what is there, as servers do, and tries again where
// somebody puts it back, as the good ones do.
func listenAt(address string) (net.Listener, error) {
	if fd, err := strconv.Atoi(address); err == nil {
		return net.FileListener(os.NewFile(uintptr(fd), address)) // which it keeps, for shutdown
	}
	if !strings.HasPrefix(address, "/") {
		share := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			var failure error
			err := c.Control(func(fd uintptr) {
				failure = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			})
			return errors.Join(err, failure)
		}}
		return share.Listen(context.Background(), "tcp", address)
	}
	for {
		if err := remove(address); err != nil {
			return nil, err
		}
		l, err := net.Listen("unix", address)
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		return l, err
	}
}

// answerAt answers HTTP at an address from now on.
func answerAt(address string) error {
	l, err := listenAt(address)
	if err == nil {
		accept(l)
	}
	return err
}

// opened is what the script opened, and accepts nothing at yet.
var opened net.Listener

func open(address string) (err error) {
	opened, err = listenAt(address)
	return err
}

// accept answers HTTP at what is open.
func accept(l net.Listener) {
	s := &answering{listener: l, accepted: make(chan struct{})}
	s.server = &http.Server{Handler: manner{}, ConnState: s.changed}
	servers = append(servers, s)
	go func() { // ends with the process, or finish
		_ = s.server.Serve(patient{l})
		close(s.accepted)
	}()
}

// answering is a server of the script.
type answering struct {
	listener net.Listener
	server   *http.Server
	accepted chan struct{} // closed when it has accepted its last connection
	open     sync.WaitGroup
}

// changed counts the connections.
func (s *answering) changed(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.open.Done()
	case http.StateActive, http.StateIdle:
	}
}

var servers []*answering

// finish stops accepting once nobody waits for that, and answers all who were accepted.
// Shutdown alone would not do that: it closes a connection whose first request it has
// not read yet (golang/go#75591), and the kernel resets those that are in the queue.
func finish() error {
	for _, s := range servers {
		for queued(s.listener) {
			runtime.Gosched()
		}
		if err := s.listener.Close(); err != nil {
			return err
		}
		<-s.accepted
		s.server.SetKeepAlivesEnabled(false)
		s.open.Wait()
	}
	return nil
}

// queued reports whether a connection waits to be accepted.
func queued(l net.Listener) (yes bool) {
	socket, ok := l.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) { // fails only if it is closed
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(polled, 0)
		yes = err == nil && n > 0 && polled[0].Revents == unix.POLLIN
	})
	return yes
}

// patient is a listener that goes on accepting when somebody has shut its socket
// down: it is going to listen again.
type patient struct{ net.Listener }

func (l patient) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if !errors.Is(err, syscall.EINVAL) {
			return conn, err
		}
	}
}

// banner greets whoever connects, and hangs up.
func banner(address string) error {
	return answerEach(address, func(conn net.Conn) {
		fmt.Fprintln(conn, "220 ready")
		conn.Close()
	})
}

// dribble answers each connection there with a byte now and then, for ever.
func dribble(address string) error {
	return answerEach(address, func(conn net.Conn) {
		for range time.Tick(10 * time.Millisecond) {
			if _, err := conn.Write([]byte("H")); err != nil {
				return
			}
		}
	})
}

// answerEach has each connection there answered by a goroutine of its own.
func answerEach(address string, answer func(net.Conn)) error {
	l, err := listenAt(address)
	if err != nil {
		return err
	}
	go func() { // ends with the process, as those below
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return nil
}

// tellManager sends what sd_notify(3) would.
func tellManager(text string) error {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(text, "SELF", strconv.Itoa(os.Getpid())) + `"`)
	if err != nil {
		return err
	}
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	return err
}

// pester notifies as fast as it can, for ever.
func pester() error {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if _, err := fmt.Fprintf(conn, "STATUS=%d\nEXTEND_TIMEOUT_USEC=%d", i, i); err != nil {
			return err
		}
	}
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// asks asks what listens on a unix socket who it is: "web 2".
func asks(socket string) (string, error) {
	return fetch(&http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}, "localhost")
}

// asksTCP asks what listens on HOST:PORT.
func asksTCP(address string) (string, error) {
	return fetch(&http.Transport{DisableKeepAlives: true}, address)
}

func fetch(t *http.Transport, host string) (string, error) {
	c := http.Client{Transport: t, Timeout: patience}
	resp, err := c.Get("http://" + host)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// answers fails the test unless this is who answers at a unix socket.
func answers(t *testing.T, socket, want string) {
	t.Helper()
	if got, err := asks(socket); err != nil || got != want {
		t.Errorf("at %s answers %q, %v, want %q", socket, got, err, want)
	}
}

// absent fails the test if there is anything at the path.
func absent(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there: %v", path, err)
	}
}
