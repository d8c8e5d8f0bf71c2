package server

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"hupwatch/runner/control"
)

func (s *Server) getStatus(a *answer, r *http.Request, _ string) error {
	memory, err := wantsMemory(r)
	if err != nil {
		return err
	}
	flights := &s.statuses[0]
	if memory {
		flights = &s.statuses[1]
	}
	body, err := flights.get(r.Context(), func() ([]byte, error) { return s.encodeStatus(memory) })
	if err != nil {
		return err
	}
	a.encoded(http.StatusOK, body)
	return nil
}

func wantsMemory(r *http.Request) (bool, error) {
	q, err := readQuery(r.URL.RawQuery, "memory")
	if err != nil {
		return false, err
	}
	return q.is("memory")
}

func (s *Server) encodeStatus(memory bool) ([]byte, error) {
	status := s.daemon.Status()
	all := make([]control.Service, len(status.Services))
	var bytesOf map[string]int64
	if memory {
		bytesOf = s.memory.get(struct{}{}, s.limits.second)
	}
	for i, service := range status.Services {
		all[i] = wholeService(service)
		if hasProcesses(service) { // what was read may be older
			all[i].MemoryBytes = bytesOf[service.Name]
		}
	}
	status.Services = all

	var body bytes.Buffer
	err := control.NewEncoder(&body).Encode(status)
	return body.Bytes(), err
}

// hasProcesses reports whether anything of a service runs.
func hasProcesses(svc control.Service) bool {
	return len(svc.Instances)+len(svc.Incoming)+len(svc.Draining) > 0
}

func (s *Server) getService(a *answer, r *http.Request, name string) error {
	memory, err := wantsMemory(r)
	if err != nil {
		return err
	}
	service, err := s.service(name)
	if err != nil {
		return err
	}
	service = wholeService(service)
	if memory && hasProcesses(service) {
		service.MemoryBytes = s.memory.get(struct{}{}, s.limits.second)[name]
	}
	return a.value(http.StatusOK, service)
}

func (s *Server) service(name string) (control.Service, error) {
	service, ok := s.daemon.Service(name)
	if !ok {
		return control.Service{}, unknown("there is no service %q: GET /v1/status has all of them", clip(name))
	}
	return service, nil
}

func (s *Server) getPlan(a *answer, r *http.Request, _ string) error {
	if _, err := readQuery(r.URL.RawQuery); err != nil {
		return err
	}
	a.unhurried()
	plan, err := s.plans.get(r.Context(), func() (control.Plan, error) {
		return s.daemon.Plan(untilEnd(r.Context())) // others may wait for it too
	})
	if err != nil {
		return err
	}
	return a.value(http.StatusOK, wholePlan(plan))
}

func (s *Server) getReload(a *answer, r *http.Request, name string) error {
	if _, err := readQuery(r.URL.RawQuery); err != nil {
		return err
	}
	id, err := strconv.ParseUint(name, 10, 64)
	if err != nil {
		return usage("%q is not the id of a reload: that is a number", clip(name))
	}
	reload, ok := s.daemon.Reload(id)
	if !ok {
		return unknown("reload %d is not known: there was none, or it was too long ago", id)
	}
	return a.value(http.StatusOK, wholeReload(reload))
}

// getHealth says that hupwatch answers.
func (s *Server) getHealth(a *answer, r *http.Request, _ string) error {
	if _, err := readQuery(r.URL.RawQuery); err != nil {
		return err
	}
	return a.value(http.StatusOK, struct{}{})
}

// getReady reports whether every service that is wanted up runs or is done.
func (s *Server) getReady(a *answer, r *http.Request, _ string) error {
	if _, err := readQuery(r.URL.RawQuery); err != nil {
		return err
	}
	var not []string
	for _, service := range s.daemon.Status().Services {
		if service.Wanted == control.WantedUp && !control.Does(service.State) {
			text := service.Name + " is " + service.State
			if len(service.Awaits) > 0 {
				text += " for " + strings.Join(service.Awaits, " and ")
			}
			not = append(not, text)
		}
	}
	if len(not) > 0 {
		down := &control.Error{Reason: control.ReasonDown, Message: strings.Join(not, ", ")}
		return &refusal{down, http.StatusServiceUnavailable}
	}
	return a.value(http.StatusOK, struct{}{})
}
