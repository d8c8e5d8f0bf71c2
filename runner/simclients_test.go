package runner

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
		w.ask(demand{what: verbReload, changed: true, names: w.drawNames()})
	case 1:
		w.deploy()
		w.ask(demand{what: verbReload, changed: w.chance(50), names: w.drawNames()})
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
	w.ask(demand{what: verbStop, names: names})
	w.askLater(w.upTo(5*time.Second), demand{what: pick(w, verbStart, verbStart, verbRestart, verbReload), names: names})
}

// drawDemand is anything a client may ask of these services; of any, if none is
// given.
func (w *world) drawDemand(names ...string) demand {
	if names == nil {
		names = w.drawNames()
	}
	d := demand{what: pick(w, verbReload, verbReload, verbStart, verbStart, verbStop, verbRestart, verbRestart, verbSignal, verbBack), names: names}
	switch d.what {
	case verbReload:
		d.changed = w.chance(60)
	case verbSignal:
		d.signal = pick(w, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL, syscall.SIGSTOP)
	case verbStop:
		if w.chance(70) { // else nothing would run after a while
			w.askLater(w.upTo(30*time.Second), demand{what: verbStart, names: names})
		}
	case verbBack:
		if w.chance(20) {
			d.to = fmt.Sprintf("/releases/%d", w.rng.IntN(w.current+1))
		}
	case verbStart, verbRestart:
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

func (w *world) ask(d demand) {
	w.token++
	d.by = "a client"
	w.say("client %d: %s %v, changed %v, signal %d", w.token, d.what, d.names, d.changed, d.signal)
	w.inbox = append(w.inbox, asked{w.token, d})
}

func (w *world) askLater(d time.Duration, what demand) {
	w.after(d, func() { w.ask(what) })
}

// healAgain asks for what brings every service to the newest release, in one way
// or another.
func (w *world) healAgain() {
	switch w.rng.IntN(4) {
	case 0:
		w.inbox = append(w.inbox, hangup{})
	case 1:
		w.ask(demand{what: verbRestart})
	case 2:
		w.ask(demand{what: verbReload, changed: true})
	case 3:
		w.ask(demand{what: verbStart})
		w.ask(demand{what: verbReload})
	}
}

// pick draws one of these.
func pick[T any](w *world, all ...T) T { return all[w.rng.IntN(len(all))] }
