package rollout

import (
	"fmt"
	"syscall"
	"time"
)

// clients ask for things, alone or several at a time.
func (w *world) clients() {
	switch w.rng.IntN(5) {
	case 0:
		w.edit()
		w.ask(Demand{What: VerbReload, Changed: true, Names: w.drawNames()})
	case 1:
		w.deploy()
		w.ask(Demand{What: VerbReload, Changed: w.chance(50), Names: w.drawNames()})
	case 2:
		for range w.between(2, 5) {
			w.askLater(w.upTo(time.Second), w.drawDemand())
		}
	case 3:
		w.bounce()
	case 4:
		w.ask(w.drawDemand())
	}
}

// bounce stops services and starts them again, mostly before all of them has gone.
func (w *world) bounce() {
	names := w.drawNames()
	w.ask(Demand{What: VerbStop, Names: names})
	w.askLater(w.upTo(5*time.Second), Demand{What: pick(w, VerbStart, VerbStart, VerbRestart, VerbReload), Names: names})
}

// drawDemand is anything a client may ask of these services; of any, if none is
// given.
func (w *world) drawDemand(names ...string) Demand {
	if names == nil {
		names = w.drawNames()
	}
	d := Demand{What: pick(w, VerbReload, VerbReload, VerbStart, VerbStart, VerbStop, VerbRestart, VerbRestart, VerbSignal, VerbRollback), Names: names}
	switch d.What {
	case VerbReload:
		d.Changed = w.chance(60)
	case VerbSignal:
		d.Signal = pick(w, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL, syscall.SIGSTOP)
	case VerbStop:
		if w.chance(70) { // else nothing would run after a while
			w.askLater(w.upTo(30*time.Second), Demand{What: VerbStart, Names: names})
		}
	case VerbRollback:
		if w.chance(20) {
			d.To = fmt.Sprintf("/releases/%d", w.rng.IntN(w.current+1))
		}
	case VerbStart, VerbRestart:
	}
	return d
}

// drawNames are nil for all services, or some: of the file, of an earlier one, or
// of none.
func (w *world) drawNames() []string {
	if w.chance(25) {
		return nil
	}
	if len(w.list) == 0 { // it has only begun
		return []string{w.file.services[w.rng.IntN(len(w.file.services))].name}
	}
	names := []string{w.list[w.rng.IntN(len(w.list))].machine.Name}
	for w.chance(40) {
		names = append(names, w.file.services[w.rng.IntN(len(w.file.services))].name)
	}
	if w.chance(5) {
		names = append(names, "nobody")
		w.faults++
	}
	return names
}

func (w *world) ask(d Demand) {
	w.token++
	d.By = "a client"
	w.say("client %d: %s %v, changed %v, signal %d", w.token, d.What, d.Names, d.Changed, d.Signal)
	w.inbox = append(w.inbox, Asked{w.token, d})
}

func (w *world) askLater(d time.Duration, what Demand) {
	w.after(d, func() { w.ask(what) })
}

// healAgain asks for what brings every service to the newest release, in one way
// or another.
func (w *world) healAgain() {
	switch w.rng.IntN(4) {
	case 0:
		w.inbox = append(w.inbox, Hangup{})
	case 1:
		w.ask(Demand{What: VerbRestart})
	case 2:
		w.ask(Demand{What: VerbReload, Changed: true})
	case 3:
		w.ask(Demand{What: VerbStart})
		w.ask(Demand{What: VerbReload})
	}
}

// pick draws one of these.
func pick[T any](w *world, all ...T) T { return all[w.rng.IntN(len(all))] }
