package server

import "hupwatch/runner/control"

// A list with nothing in it is an empty list in JSON, never null, so that clients need
// not check for null. What the daemon returned is left as it is.

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func wholeService(s control.Service) control.Service {
	s.Instances = list(s.Instances)
	s.Incoming = list(s.Incoming)
	s.Draining = list(s.Draining)
	s.Awaits = list(s.Awaits)
	s.LastTail = list(s.LastTail)
	s.Lacking = list(s.Lacking)
	s.LastReload.Tail = list(s.LastReload.Tail)
	s.Refused.Tail = list(s.Refused.Tail)
	s.Releases = list(s.Releases)
	return s
}

func wholeReload(r control.Reload) control.Reload {
	all := make([]control.ServiceReload, len(r.Services))
	for i, s := range r.Services {
		s.Tail = list(s.Tail)
		all[i] = s
	}
	r.Services = all
	return r
}

func wholePlan(p control.Plan) control.Plan {
	p.Problems = list(p.Problems)
	all := make([]control.PlanService, len(p.Services))
	for i, s := range p.Services {
		s.Changed = list(s.Changed)
		s.Notes = list(s.Notes)
		all[i] = s
	}
	p.Services = all
	return p
}
