// Package process is the boundary to the kernel: the only place of hupwatch
// that forks, executes, signals and waits.
//
//	Start ──▶ fork ──▶ table ──▶ Spawned ─▶ Execed ─▶ Exited ─▶ Emptied
//	                     ▲ │                    ▲        ▲         ▲
//	Signal ──────────────┘ └─ stub's report ────┘        │         │
//	Run: SIGCHLD ──▶ wait4 ──────────────────────────────┴── group ┘
package process

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// How often groups whose leader is gone are looked at, beside whenever an
// orphan is reaped: the parent of a last member may be outside of the group.
const recheckAfter = time.Second

// Table starts, signals and reaps every child of hupwatch. There is one in a
// program, since it reaps whatever child it finds.
//
// One lock guards it: a process is forked and entered in the table under it,
// reaped and taken out under it, and signalled under it. So a process that is
// in the table cannot have ended unnoticed and lent its number to another.
type Table struct {
	boot   string
	mounts mounts

	mu        sync.Mutex
	children  map[int]*Process      // forked and not reaped, by their numbers
	leftovers map[*Process]struct{} // reaped, their groups not empty
}

// NewTable returns an empty table, ready to start processes.
func NewTable() *Table {
	return &Table{
		boot:      bootID(),
		children:  make(map[int]*Process),
		leftovers: make(map[*Process]struct{}),
	}
}

// Run reaps until ctx is done, and returns nil then. It adopts the orphans of
// the services too, and reaps those as well. What ends before it is called is
// told when it is.
func (t *Table) Run(ctx context.Context) error {
	if err := becomeSubreaper(); err != nil {
		return fmt.Errorf("become the reaper of orphans: %w", err)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	recheck := time.NewTimer(recheckAfter)
	defer recheck.Stop()

	for {
		t.reap()
		if t.sweep() {
			recheck.Reset(recheckAfter)
		} else {
			recheck.Stop()
		}
		select {
		case <-ended:
		case <-recheck.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// reap takes every child that has ended, since many ends make one SIGCHLD.
func (t *Table) reap() {
	for {
		p, more := t.reapOne()
		if !more {
			return
		}
		if p != nil {
			p.tell()
		}
	}
}

// reapOne takes one child that has ended, and returns its process, or nil if
// it is a stranger: an orphan that came to hupwatch.
func (t *Table) reapOne() (p *Process, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err != nil {
		return nil, err == syscall.EINTR
	}
	if pid == 0 {
		return nil, false
	}
	p = t.children[pid]
	if p == nil {
		return nil, true
	}
	delete(t.children, pid)
	p.end(status)
	if !p.empty {
		t.leftovers[p] = struct{}{}
	}
	return p, true
}

// sweep looks for groups that have become empty, and reports whether some have
// not.
func (t *Table) sweep() (left bool) {
	t.mu.Lock()
	var emptied []*Process
	for p := range t.leftovers {
		if p.empty = p.groupEmpty(); p.empty {
			emptied = append(emptied, p)
			delete(t.leftovers, p)
		}
	}
	left = len(t.leftovers) > 0
	t.mu.Unlock()

	for _, p := range emptied {
		p.tell()
	}
	return left
}
