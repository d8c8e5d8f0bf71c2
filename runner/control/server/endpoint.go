package server

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"hupwatch/runner/control"
)

// endpoint is one thing that can be asked for.
type endpoint struct {
	method string
	path   string // one of its segments may be a *
	least  role   // who may ask
	// answer gets the segment that the * stands for. It returns an error only
	// if it has answered nothing.
	answer func(a *answer, r *http.Request, name string) error
}

func (s *Server) endpoints() []endpoint {
	const get, post = http.MethodGet, http.MethodPost

	return []endpoint{
		{get, "/v1/status", member, s.getStatus},
		{get, "/v1/services/*", member, s.getService},
		{get, "/v1/services/*/logs", master, s.getLogs}, // which may have secrets in them
		{get, "/v1/plan", member, s.getPlan},
		{get, "/v1/events", member, s.getEvents},
		{get, "/v1/reloads/*", member, s.getReload},
		{get, "/healthz", member, s.getHealth},
		{get, "/readyz", member, s.getReady},
		{post, "/v1/reload", member, s.post(control.VerbReload)},
		{post, "/v1/services/*/start", master, s.post(control.VerbStart)},
		{post, "/v1/services/*/stop", master, s.post(control.VerbStop)},
		{post, "/v1/services/*/restart", master, s.post(control.VerbRestart)},
		{post, "/v1/services/*/signal", master, s.post(control.VerbSignal)},
		{post, "/v1/services/*/rollback", master, s.post(control.VerbRollback)},
	}
}

// ServeHTTP answers a request if the peer may ask for it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := newAnswer(w, s.limits.write)
	if !s.enter() {
		a.refuse(&control.Error{Reason: control.ReasonEnding, Message: "hupwatch is shutting down"})
		return
	}
	defer s.answers.Done()
	defer func() {
		if reason := recover(); reason != nil {
			a.refuse(s.panicked(r.Method+" "+r.URL.Path, reason, debug.Stack()))
		}
	}()
	if err := s.serve(a, r); err != nil {
		a.refuse(err)
	}
}

func (s *Server) serve(a *answer, r *http.Request) error {
	client := clientOf(r.Context())
	if client.surplus {
		a.last()
		return &control.Error{Reason: control.ReasonEnding, Message: "hupwatch has too many clients: end some, or try again"}
	}
	is := s.role(client.peer)
	if is == stranger {
		a.last()
		return forbidden("%s may not ask hupwatch for anything: become root, the user hupwatch runs as, or a member of daemon.control_group", client.peer)
	}
	e, name, ok := s.find(r.URL)
	switch {
	case !ok:
		return unknown("no such endpoint: %s; try GET /v1/status", clip(r.URL.Path))
	case r.Method != e.method:
		a.w.Header().Set("Allow", e.method)
		return &refusal{usage("%s %s: the method must be %s", clip(r.Method), clip(r.URL.Path), e.method), http.StatusMethodNotAllowed}
	case is < e.least:
		return forbidden("%s may see the status and reload, but not read logs, or start, stop, restart, signal or roll back: become root or the user hupwatch runs as", client.peer)
	}
	return e.answer(a, r, name)
}

// find returns the endpoint of a path, and the segment that its * stands for.
func (s *Server) find(u *url.URL) (endpoint, string, bool) {
	segments := strings.Split(u.EscapedPath(), "/")
	for _, e := range s.routes {
		if name, ok := matches(strings.Split(e.path, "/"), segments); ok {
			return e, name, true
		}
	}
	return endpoint{}, "", false
}

func matches(pattern, segments []string) (name string, ok bool) {
	if len(pattern) != len(segments) {
		return "", false
	}
	for i, want := range pattern {
		switch {
		case want == "*":
			var err error
			if name, err = url.PathUnescape(segments[i]); err != nil {
				return "", false
			}
		case want != segments[i]:
			return "", false
		}
	}
	return name, true
}

func forbidden(format string, args ...any) error {
	return &control.Error{Reason: control.ReasonForbidden, Message: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) error {
	return &control.Error{Reason: control.ReasonUnknown, Message: fmt.Sprintf(format, args...)}
}

func usage(format string, args ...any) *control.Error {
	return &control.Error{Reason: control.ReasonUsage, Message: fmt.Sprintf(format, args...)}
}

// clip keeps what a client sent from filling the answer.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
