package server

import (
	"context"
	"net/http"
	"slices"
	"time"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services/mailbox"
)

// post answers a request for something to be done: with what happens, and at last with
// what became of it. If the client goes away, the request goes on.
func (s *Server) post(what string) func(*answer, *http.Request, string) error {
	return func(a *answer, r *http.Request, name string) error {
		if _, err := readQuery(r.URL.RawQuery); err != nil {
			return err
		}
		q, err := s.readRequest(a, r)
		if err != nil {
			return err
		}
		if err := check(what, name, &q); err != nil {
			return err
		}
		a.unhurried()
		past, next, cancel := s.events(q) // before it is asked for, so that nothing is missed
		defer cancel()
		id, err := s.ask(r.Context(), what, name, q)
		if err != nil {
			return err
		}
		t := &follower{server: s, answer: a, request: q, names: concerned(what, name, q), progress: newProgress(id), next: next}
		t.tell(r.Context(), past)
		return nil
	}
}

// events returns the events from now on and, if the request may have been made before,
// those that are remembered.
func (s *Server) events(q control.Request) (past []control.Event, next *mailbox.Box[control.Event], cancel func()) {
	if q.Key == "" {
		next, cancel = s.daemon.Follow()
		return nil, next, cancel
	}
	return s.daemon.Events()
}

// ask asks the daemon, unless it was asked the same with the same key before.
func (s *Server) ask(ctx context.Context, what, name string, q control.Request) (uint64, error) {
	p := clientOf(ctx).peer
	ask := func() (uint64, error) {
		return s.daemon.Ask(untilEnd(ctx), what, name, q, p.String())
	}
	if q.Key == "" {
		return ask()
	}
	k := &s.keys[0]
	if s.role(p) != master { // keys of others do not displace those of a master
		k = &s.keys[1]
	}
	return k.once(ctx, userKey{p.uid, q.Key}, fingerprint(what, name, q), ask)
}

// concerned are the services that a request is for, nil if it is for all.
func concerned(what, name string, q control.Request) []string {
	switch {
	case what == control.VerbReload && len(q.Services) > 0:
		return q.Services
	case what == control.VerbReload, name == config.AllServices:
		return nil
	}
	return []string{name}
}

// follower tells a client what becomes of its request.
type follower struct {
	server   *Server
	answer   *answer
	request  control.Request
	names    []string
	progress *progress
	next     *mailbox.Box[control.Event]
	missing  int // events lost since the last line
}

// tell begins with the id, and ends with the result, or when nobody listens.
func (t *follower) tell(ctx context.Context, events []control.Event) {
	ticks, stop := t.ticks()
	defer stop()
	events = slices.Clip(events) // they are the daemon's
	for behind, last := true, false; ; {
		if behind {
			t.progress.catchUp(t.server.daemon) // with what came before the events in the box
		}
		taken, lost, closed := t.next.Take()
		if t.put(append(events, taken...)) != nil {
			return
		}
		events = nil
		t.missing += lost
		behind = lost > 0
		switch {
		case last, t.progress.over(t.request) && !behind:
			t.result()
			return
		case closed:
			behind, last = true, true
			continue
		case behind:
			continue
		}
		select {
		case <-t.next.Wake:
		case <-ticks: // which may have come a while ago
			now := time.Now()
			events = t.progress.draining(now, t.connections)
			if !t.progress.done || len(t.progress.undoing) > 0 {
				events = append(events, t.progress.incoming(now, t.server.daemon.Status().Services, t.names)...)
			}
		case <-t.server.ending:
			behind, last = true, true
		case <-ctx.Done():
			return
		}
	}
}

// ticks are for the lines about what drains or is incoming, if they are wanted.
func (t *follower) ticks() (ticks <-chan time.Time, stop func()) {
	if !t.request.Connections {
		return nil, func() {}
	}
	ticker := time.NewTicker(t.server.limits.second)
	return ticker.C, ticker.Stop
}

func (t *follower) connections(pid int) connections {
	return t.server.sockets.get(pid, t.server.limits.second)
}

// put sends those events that belong to the request.
func (t *follower) put(events []control.Event) error {
	if !t.answer.begun {
		if err := t.line(t.asked(events)); err != nil {
			return err
		}
	}
	for _, e := range events {
		if !t.progress.take(e) || e.Kind == control.KindRequest {
			continue
		}
		if err := t.line(e); err != nil {
			return err
		}
	}
	return t.answer.flush()
}

// asked is the first line, whether its event is among these or still to come.
func (t *follower) asked(events []control.Event) control.Event {
	id := t.progress.id
	for _, e := range events {
		if e.Kind == control.KindRequest && slices.Contains(e.Reloads, id) {
			return e
		}
	}
	r, _ := t.server.daemon.Reload(id)
	return control.Event{Kind: control.KindRequest, At: r.StartedAt, By: r.By, Reloads: []uint64{id}}
}

func (t *follower) result() {
	r, ok := t.server.daemon.Reload(t.progress.id)
	if !ok {
		r.ID = t.progress.id
	}
	r = wholeReload(r)
	e := control.Event{Kind: control.KindResult, At: control.Time{Time: time.Now()}, By: r.By, Reloads: []uint64{r.ID}, Reload: &r}
	if t.line(e) == nil {
		_ = t.answer.flush()
	}
}

func (t *follower) line(e control.Event) error {
	e.Lost += t.missing
	t.missing = 0
	return t.answer.put(e)
}
