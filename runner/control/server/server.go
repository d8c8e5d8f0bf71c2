// Package server is the daemon's end of the control socket: it decides who may
// ask for what, and answers.
//
//	door: how many may come in ──▶ endpoint: who may do what ──▶ status, follow, ask
//
// The kernel says who is at the other end of a connection. Whatever a client does, it
// can use up no more than its own share of the connections.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // http.Server knows no other
	"net"
	"net/http"
	"sync"
	"time"

	"hupwatch/runner/control"
)

// Server answers the clients of one control socket.
type Server struct {
	daemon Daemon
	report func(error)
	limits limits
	routes []endpoint
	ending chan struct{} // closed when no more requests are taken

	keys     [2]keys // of those who may do all, and of the rest
	statuses [2]shared[[]byte]
	plans    shared[control.Plan]
	memory   gauge[struct{}, map[string]int64]
	sockets  gauge[int, connections]

	socket socket

	mu      sync.Mutex // guards what is below
	ended   bool
	answers sync.WaitGroup
}

// New returns a server for the socket at the path. What goes wrong with it is
// reported, and ends nothing else.
func New(path string, d Daemon, report func(error)) *Server {
	s := &Server{daemon: d, report: report, limits: defaults, ending: make(chan struct{}), socket: socket{path: path}}
	s.routes = s.endpoints()
	s.memory.read = func(struct{}) map[string]int64 { return d.Memory(d.Status().Names()) }
	s.sockets.read = func(pid int) connections {
		n, known := d.Connections(pid)
		return connections{n, known}
	}
	return s
}

// Serve answers clients until ctx ends, and then brings the answers that are
// under way to an end. It is called once.
func (s *Server) Serve(ctx context.Context) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.limits.header,
		ReadTimeout:       s.limits.body,
		WriteTimeout:      s.limits.write,
		IdleTimeout:       s.limits.idle,
		MaxHeaderBytes:    s.limits.headerBytes,
		ErrorLog:          log.New(io.Discard, "", 0), // panics are reported elsewhere, the rest is about clients
		BaseContext:       func(net.Listener) context.Context { return context.WithValue(base, baseKey{}, base) },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return withClient(ctx, c) },
	}
	stop := context.AfterFunc(ctx, s.socket.end)
	defer stop()
	s.listen(ctx, h)
	answered := s.end()
	s.await(answered)
	cut()
	err := h.Close()
	s.await(answered)
	return err
}

// listen serves the socket, and makes it anew if that fails or it was
// removed, until ctx ends.
func (s *Server) listen(ctx context.Context, h *http.Server) {
	pause := backoff{first: time.Second, most: time.Minute}
	var last string
	for ctx.Err() == nil {
		err := s.listenOnce(ctx, h, pause.reset)
		if errors.Is(err, net.ErrClosed) { // it was removed, or this is the end
			continue
		}
		if err.Error() != last {
			last = err.Error()
			s.report(err)
		}
		pause.wait(ctx.Done())
	}
}

func (s *Server) listenOnce(ctx context.Context, h *http.Server, listening func()) error {
	l, err := s.socket.listen()
	if err != nil {
		return err
	}
	defer s.socket.close()
	listening()
	if err := s.Admit(); err != nil {
		s.report(err)
	}
	return h.Serve(&door{UnixListener: l, server: s, closed: ctx.Done(), shares: newShares(s.limits)})
}

// Admit sets who may connect now: the owner of the socket alone, or the control group
// too. If somebody removed the socket, it is made anew. Admit must be called whenever
// the control group changes.
func (s *Server) Admit() error {
	gid, ok := s.daemon.ControlGroup()
	if ok && !peersKnown {
		ok = false
		defer s.report(errors.New("control_group: this system does not say who is at the other end of a socket, so only its owner can use the control socket"))
	}
	if !ok {
		gid = noGroup
	}
	return s.socket.admit(gid)
}

// end takes no more requests. The channel it returns is closed when the answers that
// are under way have ended.
func (s *Server) end() (answered <-chan struct{}) {
	s.mu.Lock()
	s.ended = true
	close(s.ending)
	s.mu.Unlock()

	done := make(chan struct{})
	go func() { // ends with the last answer: everything these wait for is being ended
		s.answers.Wait()
		close(done)
	}()
	return done
}

func (s *Server) await(answered <-chan struct{}) {
	timer := time.NewTimer(s.limits.farewell)
	defer timer.Stop()
	select {
	case <-answered:
	case <-timer.C: // a reader that stalls
	}
}

// enter counts an answer. It returns false, and does not count, after end.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.answers.Add(1)
	}
	return !s.ended
}

// baseKey is for the context that ends when no answer is waited for any more.
type baseKey struct{}

// untilEnd returns a context that does not end with the client.
func untilEnd(ctx context.Context) context.Context {
	return ctx.Value(baseKey{}).(context.Context)
}

// panicked reports a panic, which must not end hupwatch.
func (s *Server) panicked(what string, reason any, stack []byte) error {
	s.report(fmt.Errorf("answer %s: panic: %v\n%s", what, reason, stack))
	return &control.Error{Reason: control.ReasonFailed, Message: "internal error in hupwatch, its log has the details; nothing else is affected"}
}
