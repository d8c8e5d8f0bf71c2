package server

import (
	"maps"
	"sync"
	"time"
)

// gauge reads values that are expensive to get: each at most once in a while, and by
// one reader at a time. The others wait, and get what that one read.
type gauge[K comparable, V any] struct {
	read func(K) V

	mu    sync.Mutex // guards what is below, and is held while read reads
	known map[K]reading[V]
}

type reading[V any] struct {
	value V
	until time.Time
}

func (g *gauge[K, V]) get(key K, lasts time.Duration) V {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if r, ok := g.known[key]; ok && now.Before(r.until) {
		return r.value
	}
	maps.DeleteFunc(g.known, func(_ K, r reading[V]) bool { return !now.Before(r.until) })
	if g.known == nil {
		g.known = make(map[K]reading[V])
	}
	value := g.read(key)
	g.known[key] = reading[V]{value, time.Now().Add(lasts)}
	return value
}
