package services

import (
	"sync"
	"time"

	"hupwatch/services/mistake"
)

// gatePatience is how long jobs wait if none of those inside ends.
const gatePatience = time.Second

// Gate keeps a host with a thousand services from using its file system a thousand
// times at once: each use would cost a thread for good, and each that waits a stack. It
// is not a lock: if the jobs inside hang, it stops counting them after a while, and all
// that wait go in.
type Gate struct {
	// Mistakes is told of jobs that panic. It is set before the first one.
	Mistakes mistake.Report

	width    int
	patience *time.Timer

	mu      sync.Mutex // guards what is below
	shift   int        // inside counts the jobs of this one
	inside  int
	waiting []func()
}

// NewGate returns a gate that lets in width jobs at a time.
func NewGate(width int) *Gate {
	g := &Gate{width: width}
	g.patience = time.AfterFunc(gatePatience, g.nextShift)
	g.patience.Stop()
	return g
}

// Pass does the job as soon as there is room for it. It does not block.
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
	shift := g.shift
	go func() { // ends with the last job that waits
		for job != nil {
			g.Mistakes.Do("do what was waiting", job)
			job = g.next(shift)
		}
	}()
}

// next returns the job to go on with, or nil to leave.
func (g *Gate) next(shift int) func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if shift != g.shift {
		return nil // it is not counted any more
	}
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

// nextShift is called when no job inside has ended for too long.
func (g *Gate) nextShift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shift++
	g.inside = 0
	for _, job := range g.waiting {
		g.enter(job)
	}
	g.waiting = nil
}
