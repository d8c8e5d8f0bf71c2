package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"sync"

	"hupwatch/runner/control"
)

// keys remembers what was asked for with a key, so that it is not asked for
// twice.
type keys struct {
	mu    sync.Mutex // guards what is below
	asked map[userKey]*asked
	order []userKey // the latest last
}

// userKey is a key of one user: nobody can take those of somebody else.
type userKey struct {
	uid int
	key string
}

// asked is a request with a key. Its id and its error are there when done is
// closed.
type asked struct {
	request [sha256.Size]byte
	done    chan struct{}
	id      uint64
	err     error
}

// mostKeys is how many of them are remembered.
const mostKeys = 1000

// once asks. If the same was asked with the same key before, it returns what came of
// that. What was refused is forgotten: it may be asked again.
func (k *keys) once(ctx context.Context, key userKey, request [sha256.Size]byte, ask func() (uint64, error)) (uint64, error) {
	mine, first := k.enter(key, request)
	if first {
		defer func() { k.done(key, mine) }() // also if ask panics
		mine.id, mine.err = ask()
		return mine.id, mine.err
	}
	if mine.request != request {
		return 0, &control.Error{Reason: control.ReasonConflict, Message: "key: it stands for another request already: choose a new one for each request"}
	}
	select {
	case <-mine.done:
		return mine.id, mine.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (k *keys) enter(key userKey, request [sha256.Size]byte) (a *asked, first bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if a, ok := k.asked[key]; ok {
		return a, false
	}
	a = &asked{request: request, done: make(chan struct{}), err: &control.Error{Reason: control.ReasonFailed, Message: "internal error in hupwatch"}}
	if k.asked == nil {
		k.asked = make(map[userKey]*asked)
	}
	k.asked[key] = a
	return a, true
}

// done remembers what was accepted, and forgets the oldest.
func (k *keys) done(key userKey, a *asked) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(a.done)
	if a.err != nil {
		delete(k.asked, key)
		return
	}
	k.order = append(k.order, key)
	if len(k.order) > mostKeys {
		delete(k.asked, k.order[0])
		k.order = slices.Delete(k.order, 0, 1)
	}
}

// fingerprint is equal for requests that ask for the same thing. The form of the
// answer does not count.
func fingerprint(what, name string, q control.Request) [sha256.Size]byte {
	q = control.Request{Services: q.Services, Changed: q.Changed, Prune: q.Prune, Signal: q.Signal, To: q.To}
	text, err := json.Marshal([]any{what, name, q})
	if err != nil {
		panic(err) // text, lists of it and bools have no errors
	}
	return sha256.Sum256(text)
}
