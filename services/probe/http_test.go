package probe_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/probe"
)

// answering is a server that answers every request with the same bytes, and
// closes the connection.
func answering(t testing.TB, answer string) probe.Target {
	t.Helper()
	address := serve(t, "tcp", func(conn net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(conn))
		_, _ = io.WriteString(conn, answer)
	})
	return probe.Target{Kind: config.ReadyHTTP, URL: "http://" + address + "/healthz"}
}

func TestAnAnswerOf2xxIsASuccess(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\ncut",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 299\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\nX: " + strings.Repeat("x", 50<<10) + "\n\n",
	} {
		mustSucceed(t, answering(t, answer))
	}
}

func TestAnyOtherAnswerIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, answer, want string }{
		{"plain", "503 Service Unavailable\r\n\r\ndb down\nand more", "503 Service Unavailable: db down"},
		{"no body", "503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503 Service Unavailable"},
		{"no reason", "503 \r\nContent-Length: 0\r\n\r\n", "503 Service Unavailable"},
		{"own reason", "500 Out Of Coffee\r\nContent-Length: 0\r\n\r\n", "500 Out Of Coffee"},
		{"json", "500 No\r\n\r\n\n{\n  \"db\": \"down\",\n}", `500 No: "db": "down",`},
		{"html", "404 Not Found\r\nContent-Type: text/html\r\n\r\n<html>", "404 Not Found"},
		{"compressed", "404 Not Found\r\nContent-Encoding: br\r\n\r\nabc", "404 Not Found"},
		{"redirect", "302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", "302 Found: redirects are not followed, this one leads to /login"},
		{"not modified", "304 Not Modified\r\n\r\n", "304 Not Modified"},
		{"upgrade", "101 Switching Protocols\r\n\r\n", "101 Switching Protocols"},
		{"terminal", "500 \x1b[2J\r\n\r\n\x1b]0;x\a\xff", `500 \x1b[2J: \x1b]0;x\x07\xff`},
		{"long", "500 No\r\n\r\n" + strings.Repeat("é", 3000), "500 No: " + strings.Repeat("é", 50) + "..."},
		{"a page with a title", "502 Bad\r\nContent-Type: text/html\r\n\r\n<html><head><TITLE>app is down</title>", "502 Bad: app is down"},
		{"unusual", "099 Low\r\n\r\n", "99 Low"},
	} {
		t.Run(c.name, func(t *testing.T) { mustFail(t, answering(t, "HTTP/1.1 "+c.answer), c.want) })
	}
}

func TestWhatIsNoAnswerIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, answer, want string }{
		{"nothing", "", "it closed the connection without an answer"},
		{"half a header", "HTTP/1.1 200 OK\r\nX: y", "it closed the connection without an answer"},
		{"another protocol", "SSH-2.0-x\r\n", `what it answers is not HTTP: malformed HTTP response "SSH-2.0-x"`},
		{"binary", "\x15\x03\x01\x00\x02\x02\x16 \n", `what it answers is not HTTP: malformed HTTP status code ""`},
		{"header", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", `what it answers is not HTTP: malformed MIME header: missing colon: "nonsense"`},
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", `what it answers is not HTTP: bad Content-Length "-1"`},
		{"long line", strings.Repeat("x", 100<<10), "the header of its answer is longer than 64 KiB"},
		{"long header", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 20<<10), "the header of its answer is longer than 64 KiB"},
		{"endless hints", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10<<10), "the header of its answer is longer than 64 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) { mustFail(t, answering(t, c.answer), c.want) })
	}
}

func TestAServerThatDoesNotAnswerIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	drip := func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX: ")
		for {
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
			<-time.After(time.Millisecond)
		}
	}
	for name, server := range map[string]func(net.Conn){"accepts and stalls": stall, "never ends its header": drip} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(name+" "+network, func(t *testing.T) {
				t.Parallel()
				address := serve(t, network, server)
				target := probe.Target{Kind: config.ReadyHTTP, URL: "http://" + address, Timeout: 50 * time.Millisecond}
				if network == "unix" {
					target.URL, target.Address = "http://x", address
				}
				err := errors.New("not tried")
				for tries := 0; tries == 0 || tries < 20 && err != nil && err.Error() == "no connection within 50ms"; tries++ { // on a busy host
					err = probe.Check(t.Context(), target, nil)
				}
				if err == nil || err.Error() != "no answer within 50ms" {
					t.Errorf("%v, want no answer within 50ms", err)
				}
			})
		}
	}
}

// The status decides. What comes after it is only waited for a little.
func TestABodyThatNeverComesChangesNothing(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n":                          "",
		"HTTP/1.1 200 OK\r\n\r\nhalf":                                           "",
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 50\r\n\r\ndb down": "503 Service Unavailable: db down",
	} {
		target := probe.Target{Kind: config.ReadyHTTP, URL: "http://" + serve(t, "tcp", func(conn net.Conn) {
			_, _ = io.WriteString(conn, answer)
			stall(conn)
		})}
		if want == "" {
			mustSucceed(t, target)
		} else {
			mustFail(t, target, want)
		}
	}
}

// Python's servers log a traceback when they cannot write their body, uWSGI a line.
func TestAServerCanWriteItsWholeBody(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"200 OK", "500 No"} {
		end := make(chan error, 1)
		target := probe.Target{Kind: config.ReadyHTTP, Timeout: patience, URL: "http://" + serve(t, "tcp", func(conn net.Conn) {
			_, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil {
				_, err = fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: 30000\r\n\r\n", status)
			}
			if err == nil {
				_, err = io.WriteString(conn, strings.Repeat("x", 30000))
			}
			if err == nil {
				_, err = conn.Read(make([]byte, 1))
			}
			end <- err
		})}
		err := errors.New("not tried")
		for tries := 0; tries < 5 && !errors.Is(err, io.EOF); tries++ { // a busy host may keep it from reading in time
			_ = probe.Check(t.Context(), target, nil)
			err = <-end
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: the server got %v, want the end of the connection", status, err)
		}
	}
}

func TestTheRequestIsAsConfigured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, unix string
		headers   map[string]string
		want      string
	}{
		{
			"http://ADDRESS/healthz?full=1#x", "", nil,
			"GET /healthz?full=1 HTTP/1.1|Host: ADDRESS|User-Agent: hupwatch|Connection: close||",
		},
		{
			"http://ADDRESS", "",
			map[string]string{"host": "example.org", "X-token": "a\r\nb: c", "User-Agent": "other"},
			"GET / HTTP/1.1|Host: example.org|User-Agent: other|Connection: close|X-Token: a  b: c||",
		},
		{
			"http://user:pass@web/a b", "unix", nil,
			"GET /a%20b HTTP/1.1|Host: web|User-Agent: hupwatch|Connection: close|Authorization: Basic dXNlcjpwYXNz||",
		},
		{
			"http:///x", "unix", nil,
			"GET /x HTTP/1.1|Host: localhost|User-Agent: hupwatch|Connection: close||",
		},
	} {
		network := "tcp"
		if c.unix != "" {
			network = c.unix
		}
		requests := make(chan string, 1)
		address := serve(t, network, func(conn net.Conn) {
			requests <- request(conn)
			_, _ = io.WriteString(conn, "HTTP/1.1 204 Good\r\n\r\n")
		})
		target := probe.Target{Kind: config.ReadyHTTP, URL: strings.ReplaceAll(c.url, "ADDRESS", address), Headers: c.headers}
		if c.unix != "" {
			target.Address = address
		}
		mustSucceed(t, target)
		want := strings.ReplaceAll(strings.ReplaceAll(c.want, "ADDRESS", address), "|", "\r\n")
		if got := <-requests; got != want {
			t.Errorf("%s sent %q, want %q", c.url, got, want)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/good", http.StatusFound)
		}
	}))
	defer server.Close()
	mustFail(t, probe.Target{Kind: config.ReadyHTTP, URL: server.URL + "/"}, "302 Found: redirects are not followed, this one leads to /good")
	if len(asked) != 1 {
		t.Errorf("it was asked %d times, want once", len(asked))
	}
}

func TestAServerThatQuotesTheRequestGivesNoSecretAway(t *testing.T) {
	t.Parallel()
	const token, session = "s3cr3t-token", "0123456789"
	answers := []string{
		"HTTP/1.1 403 No\r\n\r\ntoken " + token + " of session=" + session + " is not valid",
		"HTTP/1.1 302 To " + token + "\r\nLocation: /login?token=" + token + "&" + session + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" + token + session + "\r\n\r\n",
		token + session + "\r\n",
		"HTTP/1.1 403 No\r\n\r\nuser dXNlcjpwYXNz is unknown",
	}
	for _, answer := range answers {
		target := answering(t, answer)
		target.URL = strings.Replace(target.URL, "http://", "http://user:pass@", 1)
		target.Headers = map[string]string{"X-Token": "Bearer " + token[:6] + " " + token, "Cookie": `session="` + session + `"; x=y`}
		target.Timeout = patience
		err := probe.Check(t.Context(), target, nil)
		if err == nil || !strings.Contains(err.Error(), "***") {
			t.Errorf("%q came to %v, want *** in it", answer, err)
		}
		for _, secret := range []string{token, token[6:], session, "dXNlcjpwYXNz"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%q came to %v", answer, err)
			}
		}
	}
}

func TestHTTPSNeedsACertificateForTheHostHeader(t *testing.T) {
	server := httptest.NewTLSServer(nil) // which has a certificate for example.com
	server.Close()
	address := serve(t, "tcp", func(conn net.Conn) {
		secured := tls.Server(conn, server.TLS)
		_, _ = secured.Read(make([]byte, 1<<10))
		_, _ = io.WriteString(secured, "HTTP/1.1 200 OK\r\n\r\n")
		secured.Close()
	})
	trusted := filepath.Join(t.TempDir(), "cert.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(trusted, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", trusted) // read once, by the first that needs it
	target := probe.Target{Kind: config.ReadyHTTP, URL: "https://" + address, Headers: map[string]string{"Host": "example.com:443"}}
	if runtime.GOOS == "linux" {
		mustSucceed(t, target)
	}
	target.Headers["Host"], target.Timeout = "example.net", patience
	err := probe.Check(t.Context(), target, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "its certificate is not trusted: ") {
		t.Errorf("for another host: %v", err)
	}
	plain := answering(t, "HTTP/1.1 400 Bad Request\r\n\r\n")
	plain.URL = strings.Replace(plain.URL, "http:", "https:", 1)
	mustFail(t, plain, "what it answers is not TLS")
}

// request reads a request: its end comes apart.
func request(conn net.Conn) string {
	var text []byte
	for b := make([]byte, 4<<10); !bytes.HasSuffix(text, []byte("\r\n\r\n")); {
		n, err := conn.Read(b)
		text = append(text, b[:n]...)
		if err != nil {
			break
		}
	}
	return string(text)
}
