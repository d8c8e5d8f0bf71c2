package runner

import (
	"fmt"
	"syscall"
	"time"

	"hupwatch/services"
)

// proc is a process group of the simulated kernel.
type proc struct {
	generation
	pid     int
	release *services.Release
	fate    fate

	spawned bool
	execed  services.Instant // 0 until then
	dead    bool             // the main process
	rest    bool             // others of the group live

	// What the machine has been told.
	toldSpawned, toldExit, toldEmpty bool
	promoted                         bool

	exitTold services.Instant // when its exit is told; Emptied is told later

	stops, groupStops, kills int
	stoppedAt                services.Instant
}

// fate is what a process is going to do.
type fate struct {
	spawnFails  bool
	execFails   bool
	execHangs   bool
	dies        time.Duration // after its exec, by itself; 0 never
	exit        services.Exit
	drain       time.Duration // from its stop signal to its end
	ignoresStop bool
	leavesRest  bool
	restStops   time.Duration // from their stop signal, or their main's end; 0 only by KILL
	unkillable  bool
}

func (w *world) resolve(service string, e services.Resolve) {
	took := w.upTo(20 * time.Millisecond)
	if !w.healthy && w.chance(2) {
		took = w.upTo(3 * time.Minute) // a file system that does not answer
		w.faults++
	}
	release, reason := services.Release{Service: e.Config, Dir: fmt.Sprintf("/releases/%d", w.current)}, ""
	switch {
	case e.Reuse != nil && (w.healthy || w.chance(95)):
		release = *e.Reuse
	case !w.healthy && w.chance(10):
		reason = "working_dir: no such directory"
		w.faults++
	}
	w.after(took, func() {
		if reason != "" {
			w.post(service, services.ResolveFailed{Attempt: e.Attempt, Reason: reason})
			return
		}
		w.post(service, services.Resolved{Attempt: e.Attempt, Release: release})
	})
}

func (w *world) launch(service string, e services.Launch) {
	w.nextPID++
	p := &proc{generation: generation{service, e.Generation}, pid: w.nextPID, release: e.Release, fate: w.draw()}
	w.procs[p.generation] = p
	w.after(w.upTo(5*time.Millisecond), func() {
		if p.fate.spawnFails {
			p.toldEmpty = true
			w.post(service, services.SpawnFailed{Generation: e.Generation, Reason: "fork: resource temporarily unavailable"})
			return
		}
		p.spawned = true
		w.post(service, services.Spawned{Generation: e.Generation, PID: p.pid})
		w.after(w.upTo(30*time.Millisecond), func() { w.exec(p) })
	})
}

// draw makes a fate: most are good ones.
func (w *world) draw() fate {
	f := fate{drain: w.upTo(2 * time.Second)}
	if w.healthy {
		return f
	}
	if w.chance(30) {
		f.drain = w.upTo(40 * time.Second)
	}
	f.ignoresStop = w.chance(8)
	f.leavesRest = w.chance(15)
	if w.chance(70) {
		f.restStops = 1 + w.upTo(20*time.Second)
	}
	f.unkillable = w.chance(1)
	f.exit = services.Exit{Code: w.rng.IntN(4)}
	if w.chance(30) {
		f.exit = services.Exit{Signal: syscall.SIGSEGV}
	}
	switch {
	case w.chance(3):
		f.spawnFails = true
	case w.chance(5):
		f.execFails = true
	case w.chance(2):
		f.execHangs = true
	case w.chance(15):
		f.dies = 1 + w.upTo(2*time.Second)
	case w.chance(15):
		f.dies = 1 + w.upTo(3*time.Minute)
	default:
		return f
	}
	w.faults++
	return f
}

func (w *world) exec(p *proc) {
	switch {
	case p.dead || p.fate.execHangs:
	case p.fate.execFails:
		w.die(p, services.Exit{Code: 127, Reason: "exec: no such file or directory"})
	default:
		p.execed = w.now
		p.rest = p.fate.leavesRest
		w.post(p.service, services.Execed{Generation: p.number})
		if p.fate.dies > 0 {
			w.after(p.fate.dies, func() { w.die(p, p.fate.exit) })
		}
	}
}

// die ends the main process of a group and reports it, as the reaper would.
func (w *world) die(p *proc, e services.Exit) {
	if p.dead {
		return
	}
	p.dead = true
	e.Rest = p.rest
	took := w.upTo(2 * time.Millisecond)
	p.exitTold = w.now.Add(took)
	w.after(took, func() { w.post(p.service, services.Exited{Generation: p.number, Exit: e}) })
	if !p.rest {
		w.after(2*time.Millisecond, func() { w.post(p.service, services.Emptied{Generation: p.number}) })
		return
	}
	if w.chance(30) && p.fate.restStops > 0 {
		w.after(p.fate.restStops, func() { w.restGone(p) })
	}
}

func (w *world) restGone(p *proc) {
	if !p.rest {
		return
	}
	p.rest = false
	if p.dead {
		took := max(w.upTo(time.Second), p.exitTold.Sub(w.now))
		w.after(took, func() { w.post(p.service, services.Emptied{Generation: p.number}) })
	}
}

func (w *world) signal(p *proc, e services.Signal) {
	if e.Signal == syscall.SIGKILL {
		if p.fate.unkillable {
			return
		}
		w.after(w.upTo(3*time.Millisecond), func() {
			w.die(p, services.Exit{Signal: syscall.SIGKILL})
			w.restGone(p)
		})
		return
	}
	if !p.dead && !p.fate.ignoresStop {
		exit := services.Exit{}
		if p.execed == 0 || w.chance(20) {
			exit = services.Exit{Signal: e.Signal}
		}
		w.after(w.upTo(p.fate.drain), func() { w.die(p, exit) })
	}
	if e.Group && p.rest && p.fate.restStops > 0 {
		w.after(p.fate.restStops, func() { w.restGone(p) })
	}
}
