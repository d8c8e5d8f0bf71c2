package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hupwatch/runner/control"
	"hupwatch/runner/control/server"
)

// No other test runs at the same time: goroutines are counted.
func TestHostileClientsCostNobodyElseAnything(t *testing.T) { //nolint:paralleltest // see above
	f := full()
	before := runtime.NumGoroutine()
	s := start(t, f, func(s *server.Server) { s.Impatient(300 * time.Millisecond) })
	big := thousand()
	f.change(func() { f.status.Services = big })
	events := reload(t, s, control.Request{})
	next(t, events)

	var hostile []net.Conn
	for range 20 {
		for _, text := range []string{
			"", // says nothing
			"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", // and stays
			"GET /v1/status HTTP/1.1\r\nHo",
			"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
			"GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n",                         // never reads
			strings.Repeat("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 10),              // never reads
			"\x00\x01garbage\r\n\r\n",                                                     //
			"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 20<<10) + "\r\n\r\n", // too much of it
			"POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n",
			"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + strings.Repeat("[", 70<<10),
			"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n{\"a\":1}\nGET ",
		} {
			c, err := net.Dial("unix", s.socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetWriteDeadline(time.Now().Add(time.Second))
			io.WriteString(c, text)
			hostile = append(hostile, c)
		}
	}
	flood := make([]control.Event, 2000)
	for i := range flood {
		flood[i] = control.Event{Kind: "advice", Error: strings.Repeat("z", 1000)}
	}
	f.publish(flood...) // more than fits into the sockets of those that never read
	f.publish(begun, promoted, told)
	f.finish(1)
	f.publish(gone)
	rest := all(t, events)
	if kinds(rest) != "web reload begun, web generation promoted, web stop signal sent, reload done, web generation exited, result" {
		t.Errorf("came %s", kinds(rest))
	}
	if asks := f.asked(); len(asks) != 1 {
		t.Errorf("the daemon was asked %d times", len(asks))
	}
	await(t, "all of them dropped", func() bool { return f.subscribers() == 0 })
	goroutines(t, before+2) // the server's two
	s.end()
	for _, c := range hostile {
		c.Close()
	}
	goroutines(t, before)
}

func TestClientBeyondTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	f := full()
	s := start(t, f, func(s *server.Server) {
		s.Turn(100 * time.Millisecond)
		s.Room(2, 1, 1, 1, 1)
	})
	var open []*control.Events
	for range 2 {
		await(t, "place", func() bool {
			e, err := s.client.Events(t.Context(), true)
			if err == nil {
				open = append(open, e)
			}
			return err == nil
		})
	}
	r := raw(t, s.socket, "GET", "/v1/status", "")
	if e := r.refusal(t); r.status != 503 || e.Reason != control.ReasonEnding || !strings.Contains(e.Message, "too many clients: end some") {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, e := range open {
		e.Close()
	}
	await(t, "place", func() bool { _, err := s.client.Status(t.Context(), false); return err == nil })
}

func TestAThousandAskForTheStatusAtOnce(t *testing.T) {
	t.Parallel()
	f := full()
	f.status.Services = thousand()
	for i := range f.status.Services {
		f.status.Services[i] = control.Service{Name: f.status.Services[i].Name}
	}
	s := start(t, f, func(s *server.Server) { s.Turn(patience) }) // however busy this machine is
	want, err := fetch(t, s)
	if err != nil || want < 100_000 {
		t.Fatalf("%d bytes, %v", want, err)
	}
	var clients sync.WaitGroup
	var failed atomic.Int32
	began := make(chan bool)
	for range 1000 {
		clients.Go(func() {
			<-began
			if n, err := fetch(t, s); err != nil || n != want {
				failed.Add(1)
				t.Logf("%d bytes of %d, %v", n, want, err)
			}
		})
	}
	close(began)
	clients.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of 1000 failed", n)
	}
}

func thousand() []control.Service {
	all := make([]control.Service, 1000)
	for i := range all {
		all[i] = full().status.Services[0]
		all[i].Name = fmt.Sprintf("service-%d", i)
	}
	return all
}

func BenchmarkEncodeStatusOfAThousandServices(b *testing.B) {
	f := full()
	f.status.Services = thousand()
	s := server.New("", f, func(error) {})
	r := server.AsRoot(request(b, "/v1/status"))
	b.ReportAllocs()
	for b.Loop() {
		w := &recorder{header: make(map[string][]string)}
		s.ServeHTTP(w, r)
		b.SetBytes(int64(len(w.body)))
	}
}

func BenchmarkStatusOfAThousandServices(b *testing.B) {
	f := full()
	f.status.Services = thousand()
	benchStatus(b, f)
}

func BenchmarkStatusOfAThousandServicesManyClients(b *testing.B) {
	f := full()
	f.status.Services = thousand()
	s := start(b, f)
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := fetch(b, s); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkStatusOfOneService(b *testing.B) { benchStatus(b, full()) }

func benchStatus(b *testing.B, f *fake) {
	b.Helper()
	s := start(b, f)
	for b.Loop() {
		if _, err := fetch(b, s); err != nil {
			b.Fatal(err)
		}
	}
}

// fetch reads the status without decoding it.
func fetch(t testing.TB, s *site) (int64, error) {
	t.Helper()
	answer, err := transport(s.socket).RoundTrip(request(t, "/v1/status"))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	return io.Copy(io.Discard, answer.Body)
}

func request(t testing.TB, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://localhost"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
