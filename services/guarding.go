package services

import (
	"slices"

	"hupwatch/services/sockets"
)

// pathsChanged says that something may have happened to a path that is guarded, or
// to a socket.
type pathsChanged struct{ Input }

// guardPaths begins to guard the paths of the service's sockets, or ends that.
func (w *Watcher) guardPaths(e Guard) {
	w.guarding = e
	if !e.On {
		w.guard.Stop()
		w.memory.Stop()
		return
	}
	if e.Keep {
		w.memory.Stop()
	} else if len(e.Paths) > 0 {
		w.told(w.memory.Start(nil, &sockets.Set{}, nil, e.Paths, func() {}))
	}
	w.guardAgain()
}

// guardAgain guards what is there now: the sockets are others, or a path was made to
// lead elsewhere.
func (w *Watcher) guardAgain() {
	if !w.guarding.On {
		return
	}
	var theirs []string
	if w.guarding.Keep {
		theirs = w.guarding.Paths
	}
	if len(theirs)+len(w.published) == 0 && w.sockets.Empty() {
		return
	}
	w.told(w.guard.Start(w.host.Watch, &w.sockets, w.published, theirs, func() { w.Post(pathsChanged{}) }))
}

// repair puts back what the generations of the service removed from under others.
func (w *Watcher) repair() {
	if !w.guarding.On {
		return
	}
	repaired, err := w.guard.Repair()
	for _, what := range repaired {
		w.putBack(what)
	}
	w.told(err)
}

// restore puts back what the paths that the servers opened themselves led to before
// the incoming generation was started.
func (w *Watcher) restore() {
	repaired, err := w.memory.Restore()
	for _, what := range repaired {
		w.putBack(what)
	}
	w.told(err)
}

func (w *Watcher) putBack(what string) {
	e := Event{Kind: KindPutBack, Service: w.machine.Name, Reason: what}
	if slices.Contains(w.guarding.Paths, what) {
		e.Reason += ", which the server opens itself, and its other generation had taken away; to be safe give it to listen, or use publish"
	}
	w.host.Events.Publish(e)
}

func (w *Watcher) told(err error) {
	if err != nil {
		w.trouble(err)
	}
}
