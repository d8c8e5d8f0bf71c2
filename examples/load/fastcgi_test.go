package load

import (
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
	"testing"
	"time"
)

func askScript(network, address, path string) Answer {
	cfg := Config{Network: network, Address: address, Timeout: 5 * time.Second, Script: "/srv/index.php", Path: path}
	w := &worker{cfg: cfg.withDefaults(), kind: Fresh}
	return w.ask()
}

func TestAFastCGIServerIsAskedAndUnderstood(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusBadGateway)
		}
		io.WriteString(w, r.URL.Path+" "+r.FormValue("ms")+strings.Repeat(".", 100_000)) // several records
	}))

	a := askScript("tcp", l.Addr().String(), "/slow?ms=5")
	if a.Class != OK || !strings.HasPrefix(a.Body, "/slow 5.") || len(a.Body) != 100_007 {
		t.Errorf("class %s, %d bytes %.10q, %v, want all of the answer", a.Class, len(a.Body), a.Body, a.Err)
	}
	if a := askScript("tcp", l.Addr().String(), "/bad"); a.Class != Status {
		t.Errorf("class %s, %v, want %s", a.Class, a.Err, Status)
	}
}

func TestAFastCGIAnswerThatIsCutIsAFailure(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":        "",
		"half a head":    "\x01\x06\x00",
		"without an end": string(record(fcgiStdout, []byte("Content-Type: text/plain\r\n\r\nhello"))),
	} {
		address := serve(t, "unix", func(c net.Conn) {
			io.ReadFull(c, make([]byte, 32)) // or its end resets the connection
			io.WriteString(c, text)
			c.(*net.UnixConn).CloseWrite()
			io.Copy(io.Discard, c)
		})
		if a := askScript("unix", address, "/"); a.Class != Cut {
			t.Errorf("%s: class %s, %v, want %s", name, a.Class, a.Err, Cut)
		}
	}
}
