package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"hupwatch/config"
	"hupwatch/runner/control"
)

// readRequest reads the body of a POST. An empty body is a request with no options.
func (s *Server) readRequest(a *answer, r *http.Request) (control.Request, error) {
	var q control.Request
	decoder := json.NewDecoder(http.MaxBytesReader(a.w, r.Body, s.limits.bodyBytes))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&q)
	if errors.Is(err, io.EOF) {
		return q, nil
	}
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return q, nil
		}
		if err == nil {
			err = errors.New("there is extra data after it")
		}
	}
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return q, &refusal{usage("read the request: it is too big, %d bytes are the most", tooBig.Limit), http.StatusRequestEntityTooLarge}
	}
	return q, usage(`read the request: %v; it must be JSON, like {"services": ["web"]}`, err)
}

// check says what is wrong with a request, and gives requests for the same thing the
// same form.
func check(what, name string, q *control.Request) error {
	const mostKey = 128

	switch {
	case len(q.Key) > mostKey:
		return usage("key: it has %d bytes, %d are the most", len(q.Key), mostKey)
	case what != control.VerbReload && len(q.Services) > 0:
		return usage("services: leave it out, the path names the service")
	case what != control.VerbReload && q.Changed:
		return usage("changed: it is for a reload, not for %s", what)
	case q.Prune && (what != control.VerbReload || len(q.Services) > 0):
		return usage("prune: it is for a reload of all services; one that names services stops none")
	case what != control.VerbSignal && q.Signal != "":
		return usage("signal: it is for POST /v1/services/NAME/signal, not for %s", what)
	case what != control.VerbRollback && q.To != "":
		return usage("to: it is for POST /v1/services/NAME/rollback, not for %s", what)
	case q.Probation && what != control.VerbReload && what != control.VerbRollback:
		return usage("probation: it is for a reload or a rollback, not for %s", what)
	case what == control.VerbSignal && q.Signal == "":
		return usage(`signal: name one, like {"signal": "USR1"}`)
	}
	if err := checkName(what, name); err != nil {
		return err
	}
	return checkValues(q)
}

func checkName(what, name string) error {
	if what == control.VerbReload || name == config.AllServices {
		return nil
	}
	if err := config.CheckServiceName(name); err != nil {
		return usage("%v", err)
	}
	return nil
}

func checkValues(q *control.Request) error {
	for _, name := range q.Services {
		if name == config.AllServices {
			return usage("services: to reload all of them, leave it out")
		}
		if err := config.CheckServiceName(name); err != nil {
			return usage("services: %v", err)
		}
	}
	q.Services = slices.Compact(slices.Sorted(slices.Values(q.Services)))
	if q.Signal == "" {
		return nil
	}
	sig, err := config.Signal(clip(strings.TrimSpace(q.Signal)))
	if err != nil {
		return usage("signal: %v", err)
	}
	q.Signal = config.SignalName(sig)
	return nil
}
