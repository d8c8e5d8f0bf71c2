package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"hupwatch/cmd/hupwatch/early"
	"hupwatch/runner/control"
)

// errInterrupted says that somebody pressed Ctrl-C.
var errInterrupted = errors.New("interrupted")

// ask asks for something to be done.
type ask func(context.Context) (*control.Events, error)

// heard is an event of an answer, or the error that ended it.
type heard struct {
	event control.Event
	err   error
}

// follow asks, and shows what happens until every request is over. It returns the
// errors of the requests that were refused or could not be followed to their end.
func (p *program) follow(ctx context.Context, v view, asks []ask) []error {
	interrupts, stop := early.Watch(syscall.SIGINT)
	defer stop()
	var readers sync.WaitGroup
	defer readers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan heard)
	for _, a := range asks {
		readers.Go(func() { a.read(ctx, answers) }) // ends with its answer, or with ctx
	}

	var failures []error
	timer := time.NewTimer(v.due())
	defer timer.Stop()
	for open := len(asks); open > 0; timer.Reset(v.due()) {
		select {
		case h := <-answers:
			switch {
			case h.err == nil:
				v.add(h.event)
				continue
			case h.err != io.EOF: //nolint:errorlint // Next returns it bare; wrapped it is the connection's
				failures = append(failures, h.err)
			}
			open--
		case <-timer.C:
			v.draw()
		case <-interrupts:
			return append(failures, errInterrupted)
		case <-ctx.Done():
			return append(failures, ctx.Err())
		}
	}
	return failures
}

// read asks and hands on the answer.
func (a ask) read(ctx context.Context, answers chan<- heard) {
	events, err := a(ctx)
	if err == nil {
		defer events.Close()
	}
	for {
		h := heard{err: err}
		if err == nil {
			h.event, h.err = events.Next()
		}
		select {
		case answers <- h:
		case <-ctx.Done():
			return
		}
		if h.err != nil {
			return
		}
	}
}
