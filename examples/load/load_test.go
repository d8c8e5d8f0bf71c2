package load_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hupwatch/examples/load"
)

// site counts what it was asked, and fails while told to.
type site struct {
	address           string
	conns, requests   atomic.Int64
	failing, slowSeen atomic.Bool
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if r.URL.Path == "/slow" {
			s.slowSeen.Store(true)
		}
		if s.failing.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
		fmt.Fprintln(w, "release-1")
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		s.conns.Add(1)
		return ctx
	}
	server.Start()
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

func (s *site) config() load.Config {
	return load.Config{Network: "tcp", Address: s.address, Fresh: 2, KeepAlive: 2, Slow: 1, Pause: time.Millisecond}
}

func TestEveryRequestIsCountedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cfg := s.config()
	cfg.KeepAlive = 1 // of two, one might not have begun when it is stopped
	l := load.Start(t.Context(), cfg)
	for _, kind := range []load.Kind{load.Fresh, load.KeepAlive, load.Slow} {
		if _, err := l.Await(t.Context(), func(a load.Answer) bool { return a.Kind == kind && a.Body == "release-1" }); err != nil {
			t.Fatal(err)
		}
	}
	result := l.Stop()

	if got, want := result.Total(), int(s.requests.Load()); got != want {
		t.Errorf("%d requests counted, the server saw %d", got, want)
	}
	if result.Failures() != 0 || result.IdleClosed() != 0 {
		t.Errorf("a healthy server failed:\n%s", result)
	}
	if got, want := int(s.conns.Load()), result.Total(load.Fresh, load.Slow)+1; got != want {
		t.Errorf("%d connections, want %d: one for each fresh and slow request and the keepalive worker", got, want)
	}
	if result.MaxLatency() <= 0 {
		t.Error("no latency measured")
	}
	if !s.slowSeen.Load() {
		t.Error("the slow worker did not ask for /slow")
	}
}

func TestOneFailureIsEnoughToBeSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := load.Start(t.Context(), s.config())
	s.failing.Store(true)
	if _, err := l.Await(t.Context(), func(a load.Answer) bool { return a.Class == load.Status }); err != nil {
		t.Fatal(err)
	}
	result := l.Stop()

	if result.Failures() == 0 || result.Failures() != result.Count(load.Status) {
		t.Errorf("%d failures, %d of them by status, want all and some", result.Failures(), result.Count(load.Status))
	}
	if !strings.Contains(result.String(), "502 Bad Gateway") {
		t.Errorf("the first failure is not told:\n%s", result)
	}
}

func TestAfterYieldsOnlyWhatWasBegunLater(t *testing.T) {
	t.Parallel()
	l := load.Start(t.Context(), newSite(t).config())
	middle, err := l.Await(t.Context(), func(load.Answer) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Await(t.Context(), func(a load.Answer) bool { return a.Begun.After(middle.Ended) }); err != nil {
		t.Fatal(err)
	}
	result := l.Stop()

	later := 0
	for a := range result.After(middle.Ended) {
		if !a.Begun.After(middle.Ended) {
			t.Errorf("begun %s, want after %s", a.Begun, middle.Ended)
		}
		later++
	}
	if later == 0 || later >= result.Total() {
		t.Errorf("%d of %d were begun later, want some, not all", later, result.Total())
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l := load.Start(t.Context(), newSite(t).config())
	defer l.Stop()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := l.Await(ctx, func(load.Answer) bool { return false }); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}
