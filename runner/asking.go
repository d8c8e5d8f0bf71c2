package runner

import (
	"context"
	"sync"

	"hupwatch/runner/control"
	"hupwatch/runner/rollout"
)

// asking are the clients that wait to hear whether their request is accepted.
type asking struct {
	mu      sync.Mutex // guards what is below
	token   uint64
	waiting map[uint64]chan<- verdict
	ended   bool // nobody answers any more
}

// verdict is the answer to one of them.
type verdict struct {
	id  uint64
	err error
}

// begin returns a token to ask with, and the channel that gets the verdict.
func (a *asking) begin() (token uint64, heard <-chan verdict) {
	box := make(chan verdict, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token++
	if a.ended {
		box <- verdict{err: errEnding()}
		return a.token, box
	}
	if a.waiting == nil {
		a.waiting = make(map[uint64]chan<- verdict)
	}
	a.waiting[a.token] = box
	return a.token, box
}

// tell gives the client with that token its verdict.
func (a *asking) tell(token uint64, v verdict) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if box, ok := a.waiting[token]; ok {
		box <- v
		delete(a.waiting, token)
	}
}

// end tells all of them, and all that come later, that hupwatch ends.
func (a *asking) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	for _, box := range a.waiting {
		box <- verdict{err: errEnding()}
	}
	a.waiting = nil
}

func errEnding() error {
	return &control.Error{Message: "hupwatch is shutting down", Reason: control.ReasonEnding}
}

// request asks for something and returns the id of the request. It waits until the file
// was read, if that is due. If ctx is done first, the request may still be accepted.
func (s *supervisor) request(ctx context.Context, d rollout.Demand) (id uint64, err error) {
	token, heard := s.asking.begin()
	s.inbox.Put(rollout.Asked{Token: token, Demand: d})
	select {
	case v := <-heard:
		return v.id, v.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
