package load

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

const whole = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"

// serve gives every connection to handle, one after the other, and hangs up.
func serve(t *testing.T, network string, handle func(net.Conn)) (address string) {
	t.Helper()
	address = "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}

	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handle(c)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// readRequest reports whether one whole request came.
func readRequest(c net.Conn) bool {
	_, err := http.ReadRequest(bufio.NewReader(c))
	return err == nil
}

// answers handles a connection by answering its first request with text.
func answers(text string) func(net.Conn) {
	return func(c net.Conn) {
		if readRequest(c) {
			io.WriteString(c, text)
		}
	}
}

func ask(network, address string) Answer {
	w := &worker{cfg: Config{Network: network, Address: address, Timeout: 5 * time.Second}.withDefaults(), kind: Fresh}
	return w.ask()
}

func TestEveryKindOfMisbehaviourIsTold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		handle func(net.Conn)
		want   Class
	}{
		{"a whole answer", answers(whole), OK},
		{"a whole answer in chunks", answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), OK},
		{"hangs up at once", func(net.Conn) {}, ""}, // cut or reset, see below
		{"hangs up without an answer", func(c net.Conn) { readRequest(c) }, Cut},
		{"cut in the header", answers("HTTP/1.1 200 OK\r\nContent-Le"), Cut},
		{"cut in the body", answers("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhel"), Cut},
		{"cut in a chunk", answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), Cut},
		{"another status", answers("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n"), Status},
		{"no length", answers("HTTP/1.1 200 OK\r\n\r\nhello\n"), Other},
		{"not HTTP", answers("220 mail.example.org ESMTP\r\n\r\n"), Other},
	}
	for _, network := range []string{"tcp", "unix"} {
		for _, tt := range tests {
			t.Run(network+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				a := ask(network, serve(t, network, tt.handle))
				// A request that was never read is a reset or an end, as the
				// kernel sees it, but never anything else.
				if tt.want == "" && (a.Class == Cut || a.Class == Reset) {
					return
				}
				if a.Class != tt.want {
					t.Errorf("class %s (%v), want %s", a.Class, a.Err, tt.want)
				}
			})
		}
	}
}

func TestAResetIsTold(t *testing.T) {
	t.Parallel()
	address := serve(t, "tcp", func(c net.Conn) {
		readRequest(c)
		c.(*net.TCPConn).SetLinger(0) // close sends RST
	})
	if a := ask("tcp", address); a.Class != Reset {
		t.Errorf("class %s (%v), want %s", a.Class, a.Err, Reset)
	}
}

func TestAnAddressWithNobodyBehindIsRefused(t *testing.T) {
	t.Parallel()
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		if unix, ok := l.(*net.UnixListener); ok {
			unix.SetUnlinkOnClose(false)
		}
		l.Close()
		if a := ask(network, l.Addr().String()); a.Class != Refused {
			t.Errorf("%s: class %s (%v), want %s", network, a.Class, a.Err, Refused)
		}
	}
}

func TestAMissingSocketIsTold(t *testing.T) {
	t.Parallel()
	if a := ask("unix", filepath.Join(t.TempDir(), "s")); a.Class != NotFound {
		t.Errorf("class %s (%v), want %s", a.Class, a.Err, NotFound)
	}
}

func TestAServerThatNeverAnswersTimesOut(t *testing.T) {
	t.Parallel()
	address := serve(t, "tcp", func(c net.Conn) {
		io.Copy(io.Discard, c) // until the client gives up
	})
	w := &worker{cfg: Config{Network: "tcp", Address: address, Timeout: 20 * time.Millisecond}.withDefaults(), kind: Fresh}
	if a := w.ask(); a.Class != TimedOut {
		t.Errorf("class %s (%v), want %s", a.Class, a.Err, TimedOut)
	}
}

func TestAConnectionThatEndedWhileIdleIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			hungUp := make(chan struct{}, 2)
			address := serve(t, network, func(c net.Conn) {
				answers(whole)(c)
				c.Close()
				hungUp <- struct{}{}
			})
			idleClosed := 0
			w := &worker{
				cfg:  Config{Network: network, Address: address}.withDefaults(),
				kind: KeepAlive, idleClosed: func() { idleClosed++ },
			}
			defer w.hangUp()
			for range 2 {
				if a := w.ask(); a.Class != OK || a.Reused {
					t.Errorf("answer %+v, want ok over a new connection", a)
				}
				<-hungUp
			}
			if idleClosed != 1 {
				t.Errorf("%d idle ends counted, want 1", idleClosed)
			}
		})
	}
}

func TestAReusedConnectionThatIsCutUnderARequestIsAFailureAndNotRetried(t *testing.T) {
	t.Parallel()
	requests := make(chan int, 10)
	address := serve(t, "unix", func(c net.Conn) {
		r := bufio.NewReader(c)
		for n := 1; ; n++ {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			requests <- n
			if n == 2 {
				return
			}
			io.WriteString(c, whole)
		}
	})
	w := &worker{
		cfg:  Config{Network: "unix", Address: address}.withDefaults(),
		kind: KeepAlive, idleClosed: func() { t.Error("counted as closed while idle") },
	}
	defer w.hangUp()

	if a := w.ask(); a.Class != OK || a.Body != "hello" {
		t.Fatalf("first answer %+v, want ok", a)
	}
	if a := w.ask(); a.Class != Cut || !a.Reused {
		t.Errorf("second answer %+v, want cut over the same connection", a)
	}
	if got := fmt.Sprint(<-requests, <-requests, len(requests)); got != "1 2 0" {
		t.Errorf("the server saw %s, want one request of each", got)
	}
}

func TestAServerThatSaysCloseGetsNoFurtherRequestOnThatConnection(t *testing.T) {
	t.Parallel()
	address := serve(t, "unix", func(c net.Conn) {
		answers("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nhello\n")(c)
		io.Copy(io.Discard, c) // leaves it to the client to hang up
	})
	w := &worker{cfg: Config{Network: "unix", Address: address}.withDefaults(), kind: KeepAlive}
	defer w.hangUp()
	for range 2 {
		if a := w.ask(); a.Class != OK || a.Reused {
			t.Errorf("answer %+v, want ok over a new connection", a)
		}
	}
}
