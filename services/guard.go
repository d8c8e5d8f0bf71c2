package services

import (
	"os"
	"slices"
	"strings"
	"syscall"

	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
	"hupwatch/services/release"
)

// pathsChanged says that a watched path, or a socket, may have changed.
type pathsChanged struct{ lifecycle.Input }

// opener is the generation that serves, which may have opened its sockets itself.
type opener struct {
	process    *process.Process // nil for none
	credential *process.Credential
}

// paths returns the paths of its unix sockets, if a generation of that release is going
// to open the same ones.
func (o opener) paths(rel *release.Release) []string {
	if o.process == nil || len(rel.Service.Listen) > 0 || rel.Service.Publish != "" {
		return nil
	}
	var paths []string
	for _, address := range process.Listening(o.process.PID()) {
		if path, ok := strings.CutPrefix(address, "unix /"); ok && o.owns("/"+path) {
			paths = append(paths, "/"+path)
		}
	}
	return paths
}

// owns reports whether a path may be its own: a path that a process has bound in its
// own mount namespace is another file here.
func (o opener) owns(path string) bool {
	if o.credential == nil || o.credential.UID == 0 {
		return true
	}
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == o.credential.UID
}

// guardPaths begins or ends the guarding of the paths of the service's sockets.
func (w *Watcher) guardPaths(e lifecycle.Guard) {
	w.mentioned = nil
	e.Kept = slices.DeleteFunc(slices.Clone(e.Kept), func(path string) bool { return slices.Contains(w.abandoned, path) })
	w.guarding = e
	w.told(w.holdback.Start(w.host.Watch, e.Held, w.pathChanged))
	if !e.On {
		w.guard.Stop()
		w.abandoned = nil
		return
	}
	w.guardAgain()
}

// guardAgain guards what is there now. It is called when the sockets have changed, or a
// path leads elsewhere.
func (w *Watcher) guardAgain() {
	if !w.guarding.On {
		return
	}
	if len(w.guarding.Kept)+len(w.published) == 0 && w.sockets.Empty() {
		w.guard.Stop()
		return
	}
	w.told(w.guard.Start(w.host.Watch, &w.sockets, w.published, w.guarding.Kept, w.pathChanged))
}

func (w *Watcher) pathChanged() {
	if w.repairing.CompareAndSwap(false, true) { // else the one on its way does it
		w.Post(pathsChanged{})
	}
}

// repair puts back what one generation of the service took away from others.
func (w *Watcher) repair() {
	if !w.guarding.On {
		return
	}
	repaired, err := w.guard.Repair()
	for _, what := range repaired {
		w.putBack(what)
	}
	w.told(err)
	w.told(w.holdback.Repair())
}

// show makes the paths that the servers opened themselves lead to what the incoming
// generation put there. A path at which it put nothing is not kept: nothing answers
// there once the old one has gone.
func (w *Watcher) show() {
	w.told(w.holdback.Show())
	w.abandoned = append(w.abandoned, w.holdback.Unopened()...)
}

// restore makes the paths that the servers opened themselves lead to what they led to
// before the incoming generation was started.
func (w *Watcher) restore() {
	w.told(w.holdback.Restore())
}

func (w *Watcher) putBack(what string) {
	if !w.mention(what) {
		return
	}
	e := lifecycle.Event{Kind: lifecycle.KindPutBack, Service: w.machine.Name, Path: what}
	if slices.Contains(w.guarding.Kept, what) {
		e.Reason = "the server opens it itself, and its other generation had taken it away; to be safe give it to listen, or use publish"
	}
	w.host.Events.Publish(e)
}

func (w *Watcher) told(err error) {
	if err != nil && w.mention(err.Error()) {
		w.trouble(err)
	}
}

// mention reports whether something is told for the first time since a generation was
// started. A server can do it ten thousand times, and would fill log and journal.
func (w *Watcher) mention(what string) bool {
	if w.mentioned[what] {
		return false
	}
	if w.mentioned == nil {
		w.mentioned = make(map[string]bool)
	}
	w.mentioned[what] = true
	return true
}
