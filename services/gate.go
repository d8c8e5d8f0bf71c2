package services

import (
	"sync"
	"time"
)

// gatePatience is how long what is to be done waits for others to get out of its
// way.
const gatePatience = time.Second

// Gate keeps a host with a thousand services from doing a thousand things with
// its file system at the same time: each would cost a thread that stays, and
// each that waits a stack. It is no lock: where those inside hang, all that wait
// go in after a while.
type Gate struct {
	width    int
	patience *time.Timer

	mu      sync.Mutex // guards what is below
	inside  int
	waiting []func()
}

// NewGate returns a gate for so many at a time.
func NewGate(width int) *Gate {
	g := &Gate{width: width}
	g.patience = time.AfterFunc(gatePatience, g.letAllIn)
	g.patience.Stop()
	return g
}

// Pass has the job done as soon as there is room for it. It does not block.
func (g *Gate) Pass(job func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside < g.width {
		g.enter(job)
		return
	}
	g.waiting = append(g.waiting, job)
	if len(g.waiting) == 1 {
		g.patience.Reset(gatePatience)
	}
}

func (g *Gate) enter(job func()) {
	g.inside++
	go func() { // ends with the last job that waits
		for job != nil {
			job()
			job = g.next()
		}
	}()
}

// next returns the job to go on with, or nil to leave.
func (g *Gate) next() func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 || g.inside > g.width {
		g.inside--
		return nil
	}
	job := g.waiting[0]
	g.waiting[0] = nil
	g.waiting = g.waiting[1:]
	g.patience.Stop()
	if len(g.waiting) > 0 {
		g.patience.Reset(gatePatience)
	}
	return job
}

// letAllIn is called when nobody inside came to an end for too long.
func (g *Gate) letAllIn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, job := range g.waiting {
		g.enter(job)
	}
	g.waiting = nil
}
