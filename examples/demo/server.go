package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// settle is how long the connections of a server that stops must have been idle
// before it closes them. A pool that is in use comes back within that time and is then
// told that the connection closes; to close it during the next request would lose that
// request. It is long enough for a machine that is starved. The stop waits for it only
// if connections are left idle.
const settle = time.Second

// server is an HTTP server that stops without losing a request, which
// http.Server.Shutdown alone does not promise: that closes connections that
// were accepted but not yet read from, and idle ones as a request arrives.
type server struct {
	http     http.Server
	name     string
	stopping chan struct{} // closed when the stop begins
	changed  chan struct{} // buffered 1: some connection changed its state

	mu    sync.Mutex // guards conns
	conns map[net.Conn]http.ConnState
}

func newServer(name string) *server {
	s := &server{
		name:     name,
		stopping: make(chan struct{}),
		changed:  make(chan struct{}, 1),
		conns:    make(map[net.Conn]http.ConnState),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", s.answer)
	mux.HandleFunc("/slow", s.answerSlowly)
	s.http.Handler = mux
	s.http.ConnState = s.track
	// A connection that never asks must not hold up the stop for ever.
	s.http.ReadHeaderTimeout = 5 * time.Second
	return s
}

// serve serves until ctx is done and every request that came until then has its
// answer. It never accepts a connection that it would not answer: what is in the
// kernel's queue is left to the other processes that share the sockets.
func (s *server) serve(ctx context.Context, listeners []net.Listener) error {
	var accepting sync.WaitGroup
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		accepting.Go(func() { ended <- s.http.Serve(untilStop{l, s.stopping}) })
	}
	select {
	case err := <-ended:
		s.http.Close()
		accepting.Wait()
		return err
	case <-ctx.Done():
	}

	close(s.stopping)
	for _, l := range listeners {
		if err := wake(l); err != nil {
			return err
		}
	}
	accepting.Wait() // from here on whatever was accepted is being tracked
	s.drain()
	return s.http.Shutdown(context.WithoutCancel(ctx))
}

// drain waits until there is no connection left, or only idle ones.
func (s *server) drain() {
	for {
		open, busy := s.count()
		if open == 0 {
			return
		}
		var settled <-chan time.Time
		if busy == 0 {
			settled = time.After(settle)
		}
		select {
		case <-s.changed:
		case <-settled:
			return
		}
	}
}

// count returns how many connections there are and how many of them have, or
// may have, a request under way.
func (s *server) count() (open, busy int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, state := range s.conns {
		if state == http.StateNew || state == http.StateActive {
			busy++
		}
	}
	return len(s.conns), busy
}

func (s *server) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(s.conns, c)
	} else {
		s.conns[c] = state
	}
	s.mu.Unlock()

	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *server) answer(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-s.stopping:
		w.Header().Set("Connection", "close")
	default:
	}
	fmt.Fprintln(w, s.name)
}

func (s *server) answerSlowly(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.ParseUint(r.FormValue("ms"), 10, 31)
	if err != nil {
		http.Error(w, "ask for /slow?ms=800", http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		s.answer(w, r)
	case <-r.Context().Done(): // nobody waits for it any more
	}
}

// untilStop is a listener whose Accept ends for good at the stop. http.Server takes
// the deadline that wakes it for a passing error, and would try again and again.
type untilStop struct {
	net.Listener
	stopping <-chan struct{}
}

// Accept returns the next connection, or net.ErrClosed once the stop has begun.
func (l untilStop) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		return c, nil
	}
	select {
	case <-l.stopping:
		return nil, net.ErrClosed
	default:
		return nil, err
	}
}

// wake makes every Accept of a listener return at once. Closing the listener
// would do so too, but lose a connection that is just being accepted.
func wake(l net.Listener) error {
	d, ok := l.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return fmt.Errorf("listener of %s takes no deadline", l.Addr())
	}
	return d.SetDeadline(time.Unix(1, 0))
}
