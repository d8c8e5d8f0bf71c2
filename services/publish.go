package services

import (
	"context"
	"slices"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
	"hupwatch/services/sockets"
)

// prepare makes way for the socket that a generation is going to open itself.
func (w *Watcher) prepare(e lifecycle.Launch) error {
	public := e.Release.Service.Publish
	if public == "" {
		return nil
	}
	if !slices.Contains(w.public, public) { // what an earlier hupwatch left is of no use
		if err := sockets.Sweep(public); err != nil {
			return err
		}
		w.public = append(w.public, public)
	}
	uid, gid := -1, -1
	if c := e.Release.Credential; c != nil {
		uid, gid = int(c.UID), int(c.GID)
	}
	return sockets.Prepare(public, config.BindPath(public, e.Generation), uid, gid)
}

func (w *Watcher) publishSocket(e lifecycle.Publish) {
	in := lifecycle.Published{Generation: e.Generation}
	if err := sockets.Publish(e.Path, config.BindPath(e.Path, e.Generation)); err != nil {
		in.Failure = err.Error()
	} else if !slices.Contains(w.published, e.Path) {
		w.published = append(w.published, e.Path)
	}
	w.guardAgain()
	old := w.process(e.Old)
	if in.Failure != "" || old == nil {
		w.Post(in)
		return
	}
	w.host.Probing.Pass(func() {
		awaitEmpty(process.QueueAt(old.PID(), config.BindPath(e.Path, e.Old)))
		w.Post(in)
	})
}

// The pauses between two looks at a queue, and how long it may stay as long as it is: a
// server that hangs accepts nothing.
const (
	firstQueueLook = time.Millisecond
	everyQueueLook = 20 * time.Millisecond
	mostStandstill = 2 * time.Second
)

// awaitEmpty waits until no connection is in a queue, but not for a server that does not
// accept them.
func awaitEmpty(q process.Queue) {
	begun := time.Now()
	least, moved := q.Waiting(), begun
	for pause := firstQueueLook; least > 0; pause = min(2*pause, everyQueueLook) {
		wait(context.Background(), pause)
		switch now := q.Waiting(); {
		case now < least:
			least, moved = now, time.Now()
		case time.Since(moved) > mostStandstill, time.Since(begun) > lifecycle.QueuePatience:
			return
		}
	}
}

func (w *Watcher) retractSocket(e lifecycle.Retract) {
	if err := sockets.Retract(e.Path, config.BindPath(e.Path, e.Generation)); err != nil {
		w.trouble(err)
	}
}

// unpublish removes the public paths that are not needed any more.
func (w *Watcher) unpublish(needed []string) {
	w.public = slices.DeleteFunc(w.public, func(path string) bool {
		if slices.Contains(needed, path) {
			return false
		}
		if err := sockets.Unpublish(path); err != nil {
			w.trouble(err)
		}
		w.published = slices.DeleteFunc(w.published, func(other string) bool { return other == path })
		return true
	})
}
