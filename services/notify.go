package services

import (
	"strconv"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/notify"
	"hupwatch/services/process"
)

// exitGrace is how long after the end of its descriptors the exit of a process may
// come: the kernel closes them first. How a process ended says more than that it
// closed them.
const exitGrace = 500 * time.Millisecond

// notification is where a generation says that it is ready, if it does.
type notification struct {
	socket *notify.Socket
	pipe   *notify.Pipe
}

// notified is a lifecycle.Notified whose message is still to be read.
type notified struct {
	lifecycle.Notified
	socket *notify.Socket
}

// openNotification makes what a generation notifies with, and returns the variables
// that tell it where.
func (w *Watcher) openNotification(e lifecycle.Launch, spec *process.Spec) (notification, []string, error) {
	var (
		it  notification
		env []string
		err error
		as  = e.Release.Credential
	)
	switch r := e.Release.Service.Ready; {
	case r == nil:
	case r.Kind == config.ReadyNotify:
		it.socket, err = w.host.Notify.Open(e.Release.Service.Name, e.Generation, as, func(k *notify.Socket) {
			w.Post(notified{Notified: lifecycle.Notified{Generation: e.Generation}, socket: k})
		})
		if err == nil {
			env = append(env, "NOTIFY_SOCKET="+it.socket.Path())
		}
	case r.Kind == config.ReadyFD:
		it.pipe, err = w.host.Notify.Pipe(as, func(ready bool) {
			if ready {
				w.Post(lifecycle.Notified{Generation: e.Generation, Ready: true})
				return
			}
			mute := "it closed descriptor " + strconv.Itoa(r.FD) + " without a line on it: it was to say there that it is ready"
			time.AfterFunc(exitGrace, func() { w.Post(lifecycle.Notified{Generation: e.Generation, Failure: mute}) })
		})
		if err == nil {
			spec.Extra = []process.Descriptor{{FD: it.pipe.WriteEnd(), At: r.FD}}
		}
	}
	return it, env, err
}

// forked is called once the generation has its ends.
func (e notification) forked() {
	if e.pipe != nil {
		e.pipe.Forked()
	}
}

func (e notification) close() {
	if e.socket != nil {
		e.socket.Close()
	}
	if e.pipe != nil {
		e.pipe.Close()
	}
}

// catchUp returns what a generation has said and the machine does not know yet, if it
// is one that notifies. What it said before it ended counts, and so does what it said
// in time while hupwatch was paused.
func (w *Watcher) catchUp(s *started) (said lifecycle.Notified, speaks bool) {
	said.Generation = s.generation
	switch it := s.notification; {
	case it.socket != nil:
		it.socket.CatchUp()
		return w.take(notified{Notified: said, socket: it.socket}), true
	case it.pipe != nil:
		said.Ready = it.pipe.CatchUp()
		return said, said.Ready
	}
	return said, false
}

// take reads a message. The main process that it names must be one of the generation's.
func (w *Watcher) take(u notified) lifecycle.Notified {
	m := u.socket.Take()
	said := u.Notified
	said.Ready, said.Stopping, said.Status, said.Extend = m.Ready, m.Stopping, m.Status, m.Extend
	if p := w.process(said.Generation); m.MainPID != 0 && p != nil && p.Member(m.MainPID) {
		said.MainPID = m.MainPID
	}
	return said
}
