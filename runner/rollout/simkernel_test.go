package rollout

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// kernel is what the world's processes, sockets and file systems are in.
type kernel struct {
	nextPID int
	current int             // the release the links point to
	flaws   map[string]flaw // of the releases, by their directories
}

// flaw is what is wrong with a whole release, whoever starts it.
type flaw struct{ noResolve, noSpawn, noExec, dies bool }

// proc is a process group of the simulated kernel.
type proc struct {
	service  string
	number   int
	instance int
	pid      int
	release  *release.Release
	fate     fate

	ghost   bool // it never got a process
	spawned bool
	execed  lifecycle.Instant // 0 until then
	dead    bool              // the main process
	rest    bool              // others of the group live
	killed  bool              // with its group, in a moment

	end      lifecycle.Exit
	exitTold lifecycle.Instant // when its exit is told; Emptied is told later

	procWatch
}

// fate is what a process is going to do.
type fate struct {
	listenFails bool
	spawnFails  bool
	execFails   bool
	execHangs   bool
	dies        time.Duration // after its exec, by itself; 0 never
	exit        lifecycle.Exit
	drain       time.Duration // from its stop signal to its end
	ignoresStop bool
	leavesRest  bool
	restStops   time.Duration // from their stop signal, or their main's end; 0 only by KILL
	unkillable  bool
	opens       time.Duration // from its exec until it listens, if its service opens an address itself
	deaf        bool          // it never does, nor is it ever ready
	ready       time.Duration // from its exec until it is
	wilts       time.Duration // from then until it is not any more; 0 never
	early       bool          // it says so before anybody hears that its command runs
	pleads      bool          // it wants more time
	stops       time.Duration // from when it is ready until it says that it stops; 0 never
	unseen      bool          // the kernel does not show what it does
	greedy      int           // of so many connections at once it takes one, where others live
	busy        int           // so many looks of a hundred do not see it, though it waits
	shuns       bool          // it never waits on its second socket
	belated     bool          // it dies just before its warm-up is over, and nobody hears at once
}

// listens reports whether it has opened its address.
func (p *proc) listens(now lifecycle.Instant) bool {
	return p.execed != 0 && !p.dead && !p.fate.deaf && now >= p.execed.Add(p.fate.opens)
}

// waits reports whether it waits for connections.
func (p *proc) waits(now lifecycle.Instant) bool { return p.isReady(now) }

// shunned are those of these addresses that it never waits on.
func (p *proc) shunned(addresses []string) []string {
	return slices.DeleteFunc(slices.Clone(addresses), func(address string) bool {
		return !p.fate.shuns || !strings.HasSuffix(address, ".second")
	})
}

// didWait reports whether it ever did, and on these addresses.
func (p *proc) didWait(now lifecycle.Instant, addresses []string) bool {
	return p.execed != 0 && !p.fate.deaf && now >= p.execed.Add(p.fate.ready) && len(p.shunned(addresses)) == 0
}

// seenToWait notes where a generation waits for connections.
func (a *actor) seenToWait(addresses []string) {
	for _, address := range addresses {
		if !slices.Contains(a.waited, address) {
			a.waited = append(a.waited, address)
		}
	}
}

// isReady reports whether a probe of it succeeds.
func (p *proc) isReady(now lifecycle.Instant) bool {
	if p.execed == 0 || p.dead || p.fate.deaf || now < p.execed.Add(p.fate.ready) {
		return false
	}
	return p.fate.wilts == 0 || now < p.execed.Add(p.fate.ready).Add(p.fate.wilts)
}

// probe has a look at a generation, in the way its service says.
func (w *world) probe(a *actor, e lifecycle.Prove) {
	p := a.procs[e.Generation-1]
	took, late := w.upTo(5*time.Millisecond), false
	if !w.healthy && w.chance(3) {
		took = w.upTo(2 * time.Second) // its timeout
		late = w.chance(4)
	}
	w.after(took, func() {
		in := lifecycle.Proved{Generation: e.Generation}
		mended := w.healthy && p.promoted && !p.dead
		switch shared := e.Ready.Kind != config.ReadyExec && w.otherWaits(a, e.Others); {
		case mended:
		case late:
			in.Failure, in.Late = "no answer within 2s", true
		case shared && (!p.isReady(w.now) || e.AtOnce < p.fate.greedy):
			in.Failure, in.Other = fmt.Sprintf("it is generation %d that answers", e.Others[0]), true
		case !p.isReady(w.now):
			in.Failure = "connection refused"
		}
		w.post(a.machine.Name, in)
	})
}

// prove has a look at a generation.
func (w *world) prove(a *actor, e lifecycle.Prove) {
	a.proofs[e.Generation] = e
	switch e.Way {
	case lifecycle.WayProbe:
		w.probe(a, e)
		return
	case lifecycle.WayWaiting:
		w.after(w.lookTakes(), func() {
			w.post(a.machine.Name, w.lookAt(a, e.Generation, addresses(e.Waits), e.Others, e.AtOnce))
		})
		return
	case lifecycle.WayNone, lifecycle.WayNotified:
		w.violated("%s wants a look at what needs none", a.machine.Name)
	case lifecycle.WayListening:
	}
	incoming, active := a.procs[e.Generation-1], a.procs[e.Active-1]
	w.after(w.upTo(5*time.Millisecond), func() {
		in := lifecycle.Proved{Generation: e.Generation}
		switch {
		case !a.opensItself || !active.listens(w.now):
			in.Needless = true
		case !incoming.listens(w.now):
			in.Missing = []string{"tcp 0.0.0.0:80"}
		}
		w.post(a.machine.Name, in)
	})
}

// observe has a look at where a generation that serves waits for connections.
func (w *world) observe(a *actor, e lifecycle.Observe) {
	w.after(w.lookTakes()+w.upTo(300*time.Millisecond), func() {
		seen := w.lookAt(a, e.Generation, addresses(e.Listen), e.Others, 16)
		in := lifecycle.Observed{Generation: e.Generation, Unseen: seen.Unseen}
		for _, l := range e.Listen {
			if !slices.Contains(seen.Missing, l.String()) {
				in.Seen = append(in.Seen, l.String())
			}
		}
		w.post(a.machine.Name, in)
	})
}

func (w *world) lookTakes() time.Duration {
	if !w.healthy && w.chance(3) {
		return w.upTo(4 * time.Second) // a busy host
	}
	return w.upTo(5 * time.Millisecond)
}

func addresses(listens []config.Listen) (all []string) {
	for _, l := range listens {
		all = append(all, l.String())
	}
	return all
}

// lookAt sees what of these addresses a generation does not wait on.
func (w *world) lookAt(a *actor, generation int, addresses []string, others []int, atOnce int) lifecycle.Proved {
	p := a.procs[generation-1]
	in := lifecycle.Proved{Generation: generation}
	switch {
	case p.fate.unseen:
		in.Missing, in.Unseen = addresses, "it uses io_uring"
	case !p.waits(w.now) || w.chance(p.fate.busy):
		in.Missing = addresses
	case atOnce < p.fate.greedy && w.otherWaits(a, others):
		in.Missing, in.Other = addresses, true
	default:
		in.Missing = p.shunned(addresses)
	}
	return in
}

func (w *world) otherWaits(a *actor, others []int) bool {
	return slices.ContainsFunc(others, func(n int) bool { return a.procs[n-1].waits(w.now) })
}

func (w *world) dir() string { return fmt.Sprintf("/releases/%d", w.current) }

// resolve makes a release of what is deployed.
func (w *world) resolve(a *actor, e lifecycle.Resolve) {
	service := a.machine.Name
	var paths []string
	if a.opensItself && e.Active != 0 {
		paths = []string{"/run/own.sock"}
	}
	took := w.upTo(20 * time.Millisecond)
	if !w.healthy && w.chance(2) {
		took = w.upTo(3 * time.Minute) // a file system that does not answer
		w.faults++
	}
	w.after(took, func() {
		for _, reuse := range append([]*release.Release{e.Reuse}, e.Older...) {
			if reuse != nil && (w.healthy || w.chance(95)) {
				if reuse.Stored != nil { // it is equipped anew
					reuse = &release.Release{Service: reuse.Service, Dir: reuse.Dir, Path: reuse.Path, Program: reuse.Program}
				}
				w.post(service, lifecycle.Resolved{Attempt: e.Attempt, Release: reuse, Reused: true, Paths: paths})
				return
			}
		}
		if e.Only {
			w.post(service, lifecycle.ResolveFailed{Attempt: e.Attempt, Reason: "the release cannot be started again"})
			return
		}
		if !w.healthy && (w.flaws[w.dir()].noResolve || w.chance(5)) {
			w.faults++
			w.post(service, lifecycle.ResolveFailed{Attempt: e.Attempt, Reason: "working_dir: no such directory"})
			return
		}
		release := &release.Release{Service: e.Config, Dir: w.dir(), Path: fmt.Sprintf("/bin/server-%d", w.current)}
		w.post(service, lifecycle.Resolved{Attempt: e.Attempt, Release: release, Paths: paths})
	})
}

func (w *world) launch(a *actor, e lifecycle.Launch) {
	w.nextPID++
	p := &proc{service: a.machine.Name, number: e.Generation, instance: e.Instance, pid: w.nextPID, release: e.Release, fate: w.draw(w.flaws[e.Release.Dir])}
	p.warmup = e.Release.Service.Warmup
	if e.Release.Service.Ready == nil {
		for _, l := range e.Release.Service.Listen {
			if slices.Contains(a.waited, l.String()) {
				p.mustWait = append(p.mustWait, l.String())
			}
		}
	}
	for len(a.procs) < p.number { // some numbers never get a process
		a.procs = append(a.procs, &proc{service: p.service, number: len(a.procs) + 1, ghost: true, procWatch: procWatch{toldExit: true, toldEmpty: true}})
	}
	if !a.procs[p.number-1].ghost {
		w.violated("%s starts generation %d twice", p.service, p.number)
	}
	a.procs[p.number-1] = p
	a.live = append(a.live, p)
	if p.fate.listenFails && len(e.Release.Service.Listen) > 0 {
		w.post(p.service, lifecycle.SpawnFailed{Generation: e.Generation, Reason: "listen: address already in use"})
		return
	}
	for _, l := range e.Release.Service.Listen {
		if !slices.Contains(a.open, l) {
			a.open = append(a.open, l)
		}
	}
	took := w.upTo(5 * time.Millisecond)
	if !w.healthy && w.chance(2) {
		took = w.upTo(90 * time.Second) // the gate is crowded, or the fork hangs
	}
	w.after(took, func() {
		if p.fate.spawnFails {
			w.post(p.service, lifecycle.SpawnFailed{Generation: e.Generation, Reason: "fork: resource temporarily unavailable"})
			return
		}
		p.spawned = true
		w.post(p.service, lifecycle.Spawned{Generation: e.Generation, PID: p.pid})
		if r := p.release.Service.Ready; r != nil && p.fate.early && !p.fate.execFails && !p.fate.execHangs {
			w.speak(p, lifecycle.Notified{Generation: p.number, Ready: r.Kind == config.ReadyNotify || r.Kind == config.ReadyFD})
		}
		w.after(w.upTo(30*time.Millisecond), func() { w.exec(p) })
	})
}

// draw makes a fate: most are good ones.
func (w *world) draw(f0 flaw) fate {
	f := fate{drain: w.upTo(2 * time.Second), opens: w.upTo(500 * time.Millisecond), ready: w.upTo(500 * time.Millisecond), early: w.chance(10)}
	if w.healthy {
		return f
	}
	if w.chance(20) {
		f.ready = w.upTo(20 * time.Second)
	}
	if w.chance(8) {
		f.wilts = 1 + w.upTo(4*time.Second)
	}
	if w.chance(30) {
		f.greedy = w.between(1, 16)
	}
	if w.chance(20) {
		f.busy = w.between(1, 60)
	}
	f.shuns = w.chance(8)
	f.unseen = w.chance(5)
	f.pleads = w.chance(15)
	f.belated = w.chance(4)
	if w.chance(4) {
		f.stops = 1 + w.upTo(4*time.Second)
	}
	if w.chance(30) {
		f.drain = w.upTo(40 * time.Second)
	}
	f.ignoresStop = w.chance(8)
	f.deaf = w.chance(5)
	f.leavesRest = w.chance(15)
	if w.chance(70) {
		f.restStops = 1 + w.upTo(20*time.Second)
	}
	f.unkillable = w.chance(1)
	f.exit = lifecycle.Exit{Code: w.rng.IntN(4)}
	if w.chance(30) {
		f.exit = lifecycle.Exit{Signal: syscall.SIGSEGV}
	}
	switch {
	case f0.noSpawn || w.chance(2):
		f.spawnFails = true
	case w.chance(2):
		f.listenFails = true
	case f0.noExec || w.chance(4):
		f.execFails = true
	case w.chance(2):
		f.execHangs = true
	case f0.dies || w.chance(12):
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
		w.die(p, lifecycle.Exit{Code: 127, Reason: "exec: no such file or directory"})
	default:
		p.execed = w.now
		p.rest = p.fate.leavesRest
		w.post(p.service, lifecycle.Execed{Generation: p.number})
		w.speaks(p)
		if p.fate.belated {
			w.after(max(0, p.warmup-w.upTo(time.Millisecond)), func() { w.die(p, p.fate.exit) })
		}
		if p.fate.dies > 0 {
			w.after(p.fate.dies, func() { w.die(p, p.fate.exit) })
		}
	}
}

// speaks has a process say how it is, where its service is one that does.
func (w *world) speaks(p *proc) {
	r := p.release.Service.Ready
	if r == nil || r.Kind != config.ReadyNotify && r.Kind != config.ReadyFD {
		return
	}
	if p.fate.pleads && r.Kind == config.ReadyNotify {
		w.after(w.upTo(5*time.Second), func() { w.speak(p, lifecycle.Notified{Generation: p.number, Extend: w.upTo(time.Minute)}) })
	}
	if !p.fate.deaf && !p.fate.early {
		w.after(p.fate.ready, func() { w.speak(p, lifecycle.Notified{Generation: p.number, Ready: true}) })
	}
	if p.fate.stops > 0 && r.Kind == config.ReadyNotify {
		w.after(p.fate.ready+p.fate.stops, func() { w.speak(p, lifecycle.Notified{Generation: p.number, Stopping: true}) })
	}
	if p.fate.stops > 0 && r.Kind == config.ReadyFD {
		w.after(p.fate.stops, func() { w.speak(p, lifecycle.Notified{Generation: p.number, Failure: "it closed descriptor 9"}) })
	}
}

func (w *world) speak(p *proc, in lifecycle.Notified) {
	if !p.dead {
		w.post(p.service, in)
	}
}

// die ends the main process of a group and reports it, as the reaper would.
func (w *world) die(p *proc, e lifecycle.Exit) {
	if p.dead {
		return
	}
	p.dead = true
	e.Rest = p.rest
	p.end = e
	took := w.upTo(2 * time.Millisecond)
	if !w.healthy && (p.fate.belated || w.chance(10)) {
		took = w.upTo(500 * time.Millisecond) // the reaper gets no processor
	}
	p.exitTold = w.now.Add(took)
	w.after(took, func() { w.post(p.service, lifecycle.Exited{Generation: p.number, Exit: e}) })
	if !p.rest {
		w.after(max(took, 2*time.Millisecond), func() { w.post(p.service, lifecycle.Emptied{Generation: p.number}) })
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
		w.after(took, func() { w.post(p.service, lifecycle.Emptied{Generation: p.number}) })
	}
}

func (w *world) signal(p *proc, e lifecycle.Signal) {
	if e.Signal == syscall.SIGKILL {
		if p.fate.unkillable {
			return
		}
		p.killed = true
		w.after(w.upTo(3*time.Millisecond), func() {
			w.die(p, lifecycle.Exit{Signal: syscall.SIGKILL})
			w.restGone(p)
		})
		return
	}
	if !p.dead && !p.fate.ignoresStop {
		exit := lifecycle.Exit{}
		if p.execed == 0 || w.chance(20) {
			exit = lifecycle.Exit{Signal: e.Signal}
		}
		w.after(w.upTo(p.fate.drain), func() { w.die(p, exit) })
	}
	if e.Group && p.rest && p.fate.restStops > 0 {
		w.after(p.fate.restStops, func() { w.restGone(p) })
	}
}

// pass brings a process a signal that somebody asked for. One that was stopped
// does all it does otherwise: hupwatch has it go on when it is to end.
func (w *world) pass(p *proc, signal syscall.Signal) {
	switch {
	case p.dead || p.fate.unkillable:
	case signal == syscall.SIGHUP && (w.healthy || w.chance(70)): // it reloads itself
	case signal == syscall.SIGKILL:
		w.after(w.upTo(3*time.Millisecond), func() { w.die(p, lifecycle.Exit{Signal: signal}) })
	case signal == syscall.SIGTERM && !p.fate.ignoresStop, signal == syscall.SIGHUP && w.chance(50):
		w.after(w.upTo(p.fate.drain), func() { w.die(p, lifecycle.Exit{Signal: signal}) })
	}
}

// crash ends a process that lives, for no reason.
func (w *world) crash() {
	var living []*proc
	for _, a := range w.list {
		for _, p := range a.live {
			if p.spawned && !p.dead {
				living = append(living, p)
			}
		}
	}
	if len(living) > 0 {
		w.crashOne(living[w.rng.IntN(len(living))])
	}
}

func (w *world) crashOne(p *proc) {
	w.faults++
	w.say("kernel: generation %d of %s crashes", p.number, p.service)
	w.die(p, lifecycle.Exit{Signal: syscall.SIGSEGV})
}

// freeze keeps one watcher from running for a while, as a disk its ledger is on
// can; freezeRollout the rollout, standStill the whole host, as those who migrate
// it do.
func (w *world) freeze(a *actor) {
	if w.rollout.ending {
		return
	}
	a.frozen = w.now.Add(w.upTo(5 * time.Second))
	w.say("kernel: the watcher of %s waits for its disk until %v", a.machine.Name, time.Duration(a.frozen-bootTime))
	w.faults++
}

func (w *world) freezeRollout() {
	w.frozen = w.now.Add(w.upTo(5 * time.Second))
	w.say("kernel: the rollout gets no processor until %v", time.Duration(w.frozen-bootTime))
	w.faults++
}

func (w *world) standStill() {
	if w.rollout.ending {
		return // it counts against the budget of the end
	}
	w.now = w.now.Add(w.upTo(40 * time.Second))
	w.say("kernel: the host stood still until now")
	w.faults++
}
