package services

import (
	"reflect"
	"slices"

	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// resolving is a Resolve that the file system has not answered yet.
type resolving struct {
	lifecycle.Resolve
	next *lifecycle.Resolve // the last one that asks the same
}

// resolution is what came of it.
type resolution struct {
	lifecycle.Input
	of *resolving
}

// makeRelease asks for a release. A restart does not ask again for what is being made
// already: if the file system hangs, each time would cost a thread for good, and a
// service that is started again for days would use up all threads. A reload does ask
// again: somebody may have mended what hangs.
func (w *Watcher) makeRelease(e lifecycle.Resolve) {
	for _, i := range w.resolving {
		if e.Cause == lifecycle.CauseRestart && i.Reuse == e.Reuse && reflect.DeepEqual(i.Config, e.Config) {
			i.next = &e
			return
		}
	}
	i := &resolving{Resolve: e}
	w.resolving = append(w.resolving, i)
	active := opener{process: w.process(e.Active)}
	if e.Serving != nil {
		active.credential = e.Serving.Credential
	}
	w.host.Resolving.Pass(func() { w.Post(resolution{w.resolve(e, active), i}) })
}

func (w *Watcher) answered(i *resolving) {
	w.resolving = slices.DeleteFunc(w.resolving, func(other *resolving) bool { return other == i })
	if i.next != nil {
		w.makeRelease(*i.next)
	}
}

func (w *Watcher) resolve(e lifecycle.Resolve, active opener) lifecycle.Input {
	var reuse []*release.Release
	if e.Reuse != nil {
		reuse = append([]*release.Release{e.Reuse}, e.Older...)
	}
	for _, rel := range reuse {
		usable, err := w.host.Resolver.Again(rel)
		switch {
		case err == nil:
			return lifecycle.Resolved{Attempt: e.Attempt, Release: usable, Reused: true, Paths: active.paths(usable)}
		case e.Only:
			return lifecycle.ResolveFailed{Attempt: e.Attempt, Reason: "the release in " + rel.Dir + " cannot be started again: " + err.Error()}
		}
	}
	rel, err := w.host.Resolver.Resolve(e.Config)
	if err != nil {
		return lifecycle.ResolveFailed{Attempt: e.Attempt, Reason: err.Error()}
	}
	return lifecycle.Resolved{Attempt: e.Attempt, Release: rel, Paths: active.paths(rel)}
}
