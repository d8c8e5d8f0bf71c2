package server

import (
	"context"
	"net/http"
	"time"
)

// Impatient makes everything that takes seconds take this long.
func (s *Server) Impatient(d time.Duration) {
	s.limits.header, s.limits.body, s.limits.write, s.limits.idle, s.limits.second, s.limits.turn = d, d, d, d, d, d
}

// Tick is how often draining generations are told about.
func (s *Server) Tick(d time.Duration) { s.limits.second = d }

// Turn is how long root waits for its turn.
func (s *Server) Turn(d time.Duration) { s.limits.turn = d }

// Room is how many connections there may be.
func (s *Server) Room(clients, others, each, strangers, surplus int) {
	s.limits.clients, s.limits.others, s.limits.each, s.limits.strangers, s.limits.surplus = clients, others, each, strangers, surplus
}

// AsRoot is the request as root's.
func AsRoot(r *http.Request) *http.Request {
	ctx := context.WithValue(r.Context(), clientKey{}, &client{peer: &peer{known: true, groupsTold: true}})
	return r.WithContext(context.WithValue(ctx, baseKey{}, ctx))
}

// Shared makes values once for all.
type Shared[T any] struct{ shared[T] }

// Get is get.
func (f *Shared[T]) Get(ctx context.Context, build func() (T, error)) (T, error) {
	return f.get(ctx, build)
}

// Waiting says whether a value is waited for that is not being made yet.
func (f *Shared[T]) Waiting() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next != nil
}
