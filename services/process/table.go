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

	"hupwatch/services/mistake"
)

// How often groups whose leader is gone are looked at, besides whenever a child
// is reaped: the parent of a last member may be outside of the group.
const recheckAfter = time.Second

// Table starts, signals and reaps every child of hupwatch. There is one in a
// program, since it reaps whatever child it finds.
//
// One lock guards it: a process is entered in the table under it, reaped and
// taken out under it, and signalled under it. So a process that is in the table
// cannot have ended unnoticed and lent its number to another. A fork takes long,
// and has a lock of its own around that one: no child is reaped before the table
// has it, and no group is signalled whose number the child may get.
type Table struct {
	// Mistakes is told of what panics here. It is set before anything is started.
	Mistakes mistake.Report

	boot   string
	mounts mounts

	forks sync.Mutex // taken before mu

	mu        sync.Mutex
	children  map[int]*Process      // forked and not reaped, by their numbers
	leftovers map[*Process]struct{} // reaped, their groups not known to be empty
}

// NewTable returns an empty table, ready to start processes.
func NewTable() *Table {
	return &Table{
		boot:      BootID(),
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
	var recheck <-chan time.Time

	for {
		t.Mistakes.Do("reap", func() {
			t.reap()
			if left := t.sweep(nil); left && recheck == nil {
				recheck = time.After(recheckAfter)
			}
		})
		select {
		case <-ended:
		case <-recheck:
			recheck = nil
			t.Mistakes.Do("look for what is left of groups", func() { t.sweep(livingGroups()) })
		case <-ctx.Done():
			return nil
		}
	}
}

// reap takes every child that has ended, since many ends make one SIGCHLD.
func (t *Table) reap() {
	const batch = 256 // a flood of orphans delays no exit for long
	for n := 1; t.reapOne(); n++ {
		if n%batch == 0 {
			t.sweep(nil)
		}
	}
}

// reapOne takes one child that has ended: a process of the table, or a
// stranger, an orphan that came to hupwatch.
func (t *Table) reapOne() (more bool) {
	t.forks.Lock()
	defer t.forks.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()

	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err != nil {
		return err == syscall.EINTR
	}
	if p := t.children[pid]; p != nil {
		delete(t.children, pid)
		t.leftovers[p] = struct{}{}
		p.end(status)
	}
	return pid > 0
}

// sweep looks for groups that have become empty, and reports whether some have
// not. It comes after the reaping, since a zombie is a member of its group. Living
// are the groups that have a member which runs, if known: a killed group that has
// only zombies of other parents is then empty too.
func (t *Table) sweep(living map[int]bool) (left bool) {
	t.mu.Lock()
	var news []*Process
	for p := range t.leftovers {
		empty := p.groupEmpty(living)
		if !p.ended || empty {
			news = append(news, p)
		}
		p.settle(empty)
		if empty {
			delete(t.leftovers, p)
		}
	}
	left = len(t.leftovers) > 0
	t.mu.Unlock()

	for _, p := range news {
		p.tell()
	}
	return left
}
