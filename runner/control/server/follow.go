package server

import (
	"math"
	"net/http"

	"hupwatch/runner/control"
	"hupwatch/services/mailbox"
)

func (s *Server) getEvents(a *answer, r *http.Request, _ string) error {
	q, err := readQuery(r.URL.RawQuery, "follow")
	if err != nil {
		return err
	}
	following, err := q.is("follow")
	if err != nil {
		return err
	}
	past, next, cancel := s.daemon.Events()
	defer cancel()
	if !following {
		next = nil
	}
	follow(s, a, r, past, next, func(e *control.Event, lost int) { e.Lost += lost })
	return nil
}

func (s *Server) getLogs(a *answer, r *http.Request, name string) error {
	const usual, most = 100, 100_000

	q, err := readQuery(r.URL.RawQuery, "n", "follow", "generation")
	if err != nil {
		return err
	}
	generation, err := q.number("generation", 0, math.MaxInt32)
	if err != nil {
		return err
	}
	n, err := q.number("n", usual, most)
	if err != nil {
		return err
	}
	following, err := q.is("follow")
	if err != nil {
		return err
	}
	if _, err := s.service(name); err != nil {
		return err
	}
	mark := func(l *control.Line, lost int) { l.Lost += lost }
	switch {
	case generation > 0 && following:
		return usage("generation: it shows what was written, leave out follow")
	case generation > 0:
		past := s.daemon.Written(name, generation)
		follow(s, a, r, past[max(0, len(past)-n):], nil, mark)
		return nil
	}
	past, next, cancel := s.daemon.Lines(name, n)
	defer cancel()
	if !following {
		next = nil
	}
	follow(s, a, r, past, next, mark)
	return nil
}

// follow answers with what there was and, with a box, what comes, until the
// client goes away or hupwatch ends.
func follow[T any](s *Server, a *answer, r *http.Request, past []T, next *mailbox.Box[T], mark func(*T, int)) {
	a.unhurried()
	if putAll(a, past) != nil || next == nil {
		return
	}
	missing := 0
	for {
		values, lost, closed := next.Take()
		if missing > 0 && len(values) > 0 {
			mark(&values[0], missing)
			missing = 0
		}
		missing += lost // behind those values
		if putAll(a, values) != nil || closed {
			return
		}
		select {
		case <-next.Wake:
		case <-r.Context().Done():
			return
		case <-s.ending:
			_ = putAll(a, takeAll(next))
			return
		}
	}
}

func putAll[T any](a *answer, values []T) error {
	for _, v := range values {
		if err := a.put(v); err != nil {
			return err
		}
	}
	return a.flush()
}

func takeAll[T any](box *mailbox.Box[T]) []T {
	values, _, _ := box.Take()
	return values
}
