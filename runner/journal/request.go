package journal

import (
	"maps"
	"slices"
	"strings"

	"hupwatch/services/lifecycle"
)

// request is a Request as it is kept. Its entries are the same ones that the services
// have.
type request struct {
	ID      uint64                   `json:"id"`
	Who     *asked                   `json:"who"`
	Names   []string                 `json:"names,omitempty"` // of the services it was for; none for all
	Only    string                   `json:"only,omitempty"`  // the same with commas, as they were written before
	Started int64                    `json:"started,omitempty"`
	Ended   int64                    `json:"ended,omitempty"`
	Cut     bool                     `json:"cut,omitempty"` // it Ended because hupwatch did
	Counts  map[lifecycle.Result]int `json:"counts,omitempty"`

	entries []*entry
}

// underWay reports whether something may still come of it.
func (q *request) underWay() bool { return q.Ended == 0 || q.Cut }

func (q *request) public() Request {
	p := Request{
		ID: q.ID, What: q.Who.What, By: q.Who.By, Only: q.Names,
		Started: moment(q.Started), Ended: moment(q.Ended), Done: !q.underWay(),
		Services: make([]Reload, 0, len(q.entries)), Counts: maps.Clone(q.Counts),
	}
	if q.Cut {
		p.Reason = cutShort
	}
	for _, r := range q.entries {
		p.Services = append(p.Services, r.public())
	}
	slices.SortFunc(p.Services, func(a, b Reload) int { return strings.Compare(a.Service, b.Service) })
	return p
}

// split are the names in a list with commas.
func split(list, comma string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, comma)
}
