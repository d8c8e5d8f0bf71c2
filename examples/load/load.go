// Package load keeps a server busy while it is being reloaded and counts every
// request that it loses.
//
// The load is closed-loop: each worker has one request under way, and pauses
// between two of them so that the load leaves the machine room to do what is
// being tested. Three kinds of worker run side by side:
//
//	fresh      a new connection for every request
//	keepalive  one connection, reused for as long as the server lets it
//	slow       a new connection for a request that takes long to answer
//
// No request is ever tried twice. A proxy or a pool would hide the very
// failures this client is there to find.
package load

import (
	"context"
	"sync"
	"time"
)

// Config says which server to load, and how much.
type Config struct {
	// Network and Address are those of net.Dial: "tcp" or "unix".
	Network, Address string
	// Fresh, KeepAlive and Slow are the numbers of workers of each kind.
	Fresh, KeepAlive, Slow int
	// Path is what fresh and keepalive workers ask for, "/" unless set.
	Path string
	// SlowPath is what slow workers ask for, "/slow?ms=800" unless set.
	SlowPath string
	// Script makes the load speak FastCGI instead of HTTP: the SCRIPT_FILENAME.
	Script string
	// Pause is how long a worker rests between two requests, 30ms unless set:
	// 8 workers then ask about 250 times a second. Negative is no pause.
	Pause time.Duration
	// Timeout is how long a request may take, its connect included, 10s unless
	// set.
	Timeout time.Duration
}

// withDefaults returns the configuration with what is unset filled in.
func (c Config) withDefaults() Config {
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SlowPath == "" {
		c.SlowPath = "/slow?ms=800"
	}
	if c.Pause == 0 {
		c.Pause = 30 * time.Millisecond
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	return c
}

// Load is a load under way. The caller of Start must stop it.
type Load struct {
	stop    context.CancelFunc
	workers sync.WaitGroup

	mu      sync.Mutex // guards what follows
	result  Result
	waiters map[*waiter]struct{}
}

// waiter is an Await under way.
type waiter struct {
	wants  func(Answer) bool
	answer chan Answer
}

// Start puts the load on. It ends when Stop is called or ctx is done; requests
// under way are finished in both cases.
func Start(ctx context.Context, cfg Config) *Load {
	cfg = cfg.withDefaults()
	ctx, stop := context.WithCancel(ctx)
	l := &Load{stop: stop, waiters: make(map[*waiter]struct{})}

	for kind, n := range map[Kind]int{Fresh: cfg.Fresh, KeepAlive: cfg.KeepAlive, Slow: cfg.Slow} {
		for i := range n {
			w := &worker{cfg: cfg, kind: kind, record: l.record, idleClosed: l.idleClosed}
			// Spread over one pause, or all would ask at the same instant.
			delay := cfg.Pause * time.Duration(i) / time.Duration(n)
			l.workers.Go(func() { w.run(ctx, delay) })
		}
	}
	return l
}

// Stop ends the load, waits until every request under way has its answer, and
// returns all that happened.
func (l *Load) Stop() *Result {
	l.stop()
	l.workers.Wait()

	l.mu.Lock()
	defer l.mu.Unlock()
	l.result.sort()
	return &l.result
}

// Await returns the first answer recorded from now on that wants accepts, which
// must not call the load. It is how a test waits until a client sees what the
// test has caused.
func (l *Load) Await(ctx context.Context, wants func(Answer) bool) (Answer, error) {
	w := &waiter{wants: wants, answer: make(chan Answer, 1)}
	l.mu.Lock()
	l.waiters[w] = struct{}{}
	l.mu.Unlock()

	defer func() {
		l.mu.Lock()
		delete(l.waiters, w)
		l.mu.Unlock()
	}()
	select {
	case a := <-w.answer:
		return a, nil
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

func (l *Load) record(a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.result.answers = append(l.result.answers, a)
	for w := range l.waiters {
		if w.wants(a) {
			w.answer <- a
			delete(l.waiters, w)
		}
	}
}

func (l *Load) idleClosed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.result.idleClosed++
}
