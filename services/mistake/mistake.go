// Package mistake contains the panics of hupwatch's own goroutines: one mistake in
// what is done for one service must not end the watch over all the others.
package mistake

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// Report is told of a panic that was contained. It is called by the goroutine that
// panicked and must not block. A nil Report contains nothing: the panic goes on.
type Report func(error)

// Contain ends a panic of the function that defers it, and reports it with the
// stack. The argument says, for people, what was being done.
func (r Report) Contain(what string) {
	if r == nil {
		return
	}
	if reason := recover(); reason != nil {
		r(fmt.Errorf("%s: a mistake of hupwatch's own, please report it: panic: %v\n%s", what, reason, debug.Stack()))
	}
}

// Once returns a Report that passes on the first panic only. It is for code that
// handles reports itself, and that would be told of its own panics for ever.
func (r Report) Once() Report {
	if r == nil {
		return nil
	}
	var once sync.Once
	return func(err error) { once.Do(func() { r(err) }) }
}

// Do calls do and contains its panic. It reports whether do returned.
func (r Report) Do(what string, do func()) (done bool) {
	defer r.Contain(what)
	do()
	return true
}
