package rollout

import (
	"fmt"
	"slices"
	"strings"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
)

// judged is what a step of the rollout makes of one thing that was asked: a
// request, or nothing.
type judged struct {
	by    string
	token uint64 // of a client; 0 for a signal
	id    uint64 // 0 where it is refused
	Demand
	refusal control.Reason
	effects []Effect // that carry it out
}

// judge takes apart what a step of the rollout wants; general are the effects that
// are for nobody in particular.
func judge(effects []Effect) (all []judged, general []Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case Accepted:
			all[len(all)-1].token = e.Token
			continue
		case Rejected:
			all = append(all, judged{token: e.Token, refusal: e.Reason})
			continue
		case Emit:
			switch e.Event.Kind {
			case lifecycle.KindRequest:
				all = append(all, judged{by: e.Event.By, id: e.Event.Reloads[0]})
				continue
			case lifecycle.KindRefused:
				if !strings.HasPrefix(e.Event.By, "signal ") {
					continue // clients hear it themselves
				}
				all = append(all, judged{by: e.Event.By, refusal: control.ReasonConfig})
				continue
			default:
			}
		}
		if len(all) == 0 || all[len(all)-1].id == 0 {
			general = append(general, e)
			continue
		}
		last := &all[len(all)-1]
		last.effects = append(last.effects, e)
	}
	return all, general
}

// checkVerdicts: whoever asks for something is told once whether it is accepted,
// and a file or a name that is no good changes nothing.
func (w *world) checkVerdicts(in Input, effects []Effect) {
	all, general := judge(effects)
	for i := range all {
		w.recognise(&all[i], in)
		if w.rollout.ending && all[i].token != 0 && all[i].refusal != control.ReasonEnding {
			w.violated("%s hears %q, and hupwatch ends", all[i].by, all[i].refusal)
		}
	}
	switch in := in.(type) {
	case ConfigRead:
		if !w.rollout.ending {
			w.checkRead(in, all, general)
		}
	case Asked:
		w.checkDirect(in, all)
	}
	_, answer := in.(Answered)
	for _, e := range effects {
		e, ok := e.(Emit)
		switch {
		case !ok:
		case e.Event.Kind == lifecycle.KindAnswered && !answer: // for one that was not asked yet
			for _, id := range e.Event.Reloads {
				w.watch.answers[id]--
			}
		case e.Event.Kind == lifecycle.KindRequestDone:
			w.requestDone(e.Event.Reloads[0])
		}
	}
}

// recognise finds out what it was that was asked.
func (w *world) recognise(j *judged, in Input) {
	v := &w.watch
	_, read := in.(ConfigRead)
	switch {
	case j.token != 0:
		client, ok := v.clients[j.token]
		if !ok {
			w.violated("client %d is told twice what becomes of what it asked", j.token)
		}
		if read && client.reads >= v.reads && !w.rollout.ending {
			w.violated("client %d is served with a file that was read before it asked", j.token)
		}
		delete(v.clients, j.token)
		j.Demand, j.by = client.Demand, fmt.Sprintf("client %d", j.token)
	case !read:
	case j.by == "signal HUP":
		j.Demand = Demand{What: VerbReload}
		v.hupsServed = v.hupsRead
		if v.readsSinceHup++; v.readsSinceHup > 2 {
			w.violated("the file is read %d times since the last HUP", v.readsSinceHup)
		}
	case j.by == "signal USR2":
		if len(v.claims) == 0 {
			w.violated("a name file is acted on that nobody wrote")
		}
		j.Demand = Demand{What: VerbReload, Names: v.claims[0]}
		v.claims = v.claims[1:]
	default:
		w.violated("%s is served, and nobody knows who that is", j.by)
	}
	if j.id != 0 {
		w.numbered(j)
	}
}

// numbered notes a request, and how many services are to answer it.
func (w *world) numbered(j *judged) {
	v := &w.watch
	if j.id <= v.lastID {
		w.violated("request %d comes after request %d", j.id, v.lastID)
	}
	v.lastID = j.id
	v.answers[j.id] = 0
	for _, e := range j.effects {
		if t, ok := e.(Tell); ok && requestID(t.Input) == j.id {
			v.answers[j.id]++
		}
	}
	if r := w.rollout.requests[j.id]; r != nil { // the others come later
		v.answers[j.id] += len(r.later)
	}
}

// requestID is the id of the request that a service is told of; 0 for none.
func requestID(in lifecycle.Input) uint64 {
	switch in := in.(type) {
	case lifecycle.Reload:
		return in.ID
	case lifecycle.Up:
		return in.ID
	case lifecycle.Down:
		return in.ID
	case lifecycle.Restart:
		return in.ID
	case lifecycle.Forward:
		return in.ID
	case lifecycle.RollBack:
		return in.ID
	case lifecycle.Stop:
		return in.ID
	}
	return 0
}

// checkRead: a bad file changes nothing, nor does a name that is not in it; a good
// file is carried out for all who asked, and for the services they asked it for.
func (w *world) checkRead(read ConfigRead, all []judged, general []Effect) {
	if len(all) == 0 {
		w.violated("the file was read, and nobody hears what for")
	}
	served := slices.ContainsFunc(all, func(j judged) bool { return j.id != 0 })
	for _, e := range general {
		w.checkGeneral(e, served)
	}
	if served {
		w.parsed = read.Config
	}
	for _, j := range all {
		known := func(name string) bool { _, ok := read.Config.Service(name); return ok }
		switch {
		case read.Config == nil:
			w.checkRefused(j, control.ReasonConfig)
		case !slices.ContainsFunc(j.Names, func(name string) bool { return !known(name) }):
			w.checkCarriedOut(j, namesOf(read.Config))
		case j.token != 0:
			w.checkRefused(j, control.ReasonUnknown)
		default:
			w.checkRefused(j, control.ReasonConfig)
		}
	}
	if slices.ContainsFunc(all, func(j judged) bool { return j.id != 0 && j.What == VerbReload && j.Names == nil }) {
		w.checkStopped(read, all)
	}
}

// checkGeneral: the daemon's keys come into force, and services get their turns by
// them, only if somebody is served with the file.
func (w *world) checkGeneral(e Effect, served bool) {
	ok := true
	switch e := e.(type) {
	case Add:
		ok = false
	case Apply:
		ok = served
	case Tell:
		switch e.Input.(type) {
		case lifecycle.Turn, lifecycle.Await:
			ok = served
		default:
			ok = false
		}
	}
	if !ok {
		w.violated("what was refused is half done: %s", show(e))
	}
}

func namesOf(c *config.Config) []string {
	var names []string
	for _, s := range c.Services {
		names = append(names, s.Name)
	}
	return names
}

// checkDirect: what needs no look at the file is done, or refused, at once.
func (w *world) checkDirect(in Asked, all []judged) {
	needsFile := in.What != VerbStop && in.What != VerbSignal && in.What != VerbRollback
	switch {
	case w.rollout.ending && len(all) == 1:
		return
	case needsFile && len(all) == 0:
		return
	case needsFile || len(all) != 1:
		w.violated("client %d is told %d times at once", in.Token, len(all))
	}
	var has []string
	for _, a := range w.list {
		if !w.watch.stopped[a.machine.Name] {
			has = append(has, a.machine.Name)
		}
	}
	if slices.ContainsFunc(in.Names, func(name string) bool { return !slices.Contains(has, name) }) {
		w.checkRefused(all[0], control.ReasonUnknown)
		return
	}
	w.checkCarriedOut(all[0], has)
}

func (w *world) checkRefused(j judged, why control.Reason) {
	switch {
	case j.id != 0:
		w.violated("what was refused is half done: %s for %s", j.by, strings.Join(j.Names, ","))
	case j.refusal != why:
		w.violated("%s is refused, since %q, want %q", j.by, j.refusal, why)
	}
}

// checkStopped: a service that the file names no more is told to stop.
func (w *world) checkStopped(read ConfigRead, all []judged) {
	told := make(map[string]bool)
	for _, j := range all {
		for _, e := range j.effects {
			if t, ok := e.(Tell); ok {
				_, stop := t.Input.(lifecycle.Stop)
				told[t.Service] = told[t.Service] || stop
			}
		}
	}
	for _, a := range w.list {
		name := a.machine.Name
		if _, ok := read.Config.Service(name); !ok && !told[name] && !w.watch.stopped[name] {
			w.violated("%s was removed from the file and runs on", name)
		}
	}
}

// checkCarriedOut: each service it was asked for is asked once, with the file just
// read, and no other one is touched. A reload of all stops what the file does not
// name.
func (w *world) checkCarriedOut(j judged, has []string) {
	if j.id == 0 {
		w.violated("%s is refused %s of %s, since %q, and nothing is wrong", j.by, j.What, strings.Join(j.Names, ","), j.refusal)
	}
	names := j.Names
	if names == nil {
		names = has
	}
	times := make(map[string]int)
	for _, e := range j.effects {
		t, ok := e.(Tell)
		if !ok {
			continue
		}
		switch in := t.Input.(type) {
		case lifecycle.Turn, lifecycle.Await:
			continue
		case lifecycle.Stop:
			if j.Names == nil && j.What == VerbReload && !slices.Contains(has, t.Service) {
				continue
			}
		case lifecycle.Declare:
		default:
			times[t.Service]++
			w.checkToldTruly(j, t.Service, in)
		}
		if !slices.Contains(names, t.Service) {
			w.violated("%s for %s touches %s", j.by, strings.Join(names, ","), t.Service)
		}
	}
	if r := w.rollout.requests[j.id]; r != nil {
		for _, name := range r.later {
			times[name]++
		}
	}
	for _, name := range names {
		if times[name] != 1 {
			w.violated("%s asks for a %s of %s, which is told %d times", j.by, j.What, name, times[name])
		}
	}
}

// checkToldTruly: what a service is told is what was asked, and comes with the file
// just read.
func (w *world) checkToldTruly(j judged, service string, in lifecycle.Input) {
	var c *config.Service
	ok := false
	switch in := in.(type) {
	case lifecycle.Reload:
		c, ok = in.Config, j.What == VerbReload && in.Changed == j.Changed
	case lifecycle.Up:
		c, ok = in.Config, j.What == VerbStart
	case lifecycle.Restart:
		c, ok = in.Config, j.What == VerbRestart
	case lifecycle.Down:
		ok = j.What == VerbStop
	case lifecycle.Forward:
		ok = j.What == VerbSignal && in.Signal == j.Signal
	case lifecycle.RollBack:
		ok = j.What == VerbRollback && in.To == j.To
	}
	if !ok || requestID(in) != j.id {
		w.violated("%s is told %T %+v, asked was %s %d", service, in, in, j.What, j.id)
	}
	if c != nil && (c.Name != service || revision(c) != revision(w.parsed.Services[0])) {
		w.violated("%s is asked with revision %d of %s, read was %d", service, revision(c), c.Name, revision(w.parsed.Services[0]))
	}
}
