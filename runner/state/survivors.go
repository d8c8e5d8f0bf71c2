package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
)

// Survivor is a process of a generation that an earlier hupwatch started and
// that still runs.
type Survivor struct {
	Service    string
	Generation int
	PID        int
}

// Survivors finds what still runs of the generations on record, and forgets the records
// of services of which nothing runs. A record without a process is of a start that was
// cut short: its process, if it got one, carries the mark. So do the others of a group
// whose main process is gone.
func (s *Store) Survivors() ([]Survivor, error) {
	recorded, err := s.load()
	if err != nil || len(recorded) == 0 {
		return nil, err
	}
	marked, err := process.FindMarked(s.mark)
	if err != nil {
		return nil, fmt.Errorf("look for processes of an earlier hupwatch: %w", err)
	}
	var found []Survivor
	for service, k := range recorded {
		var here []Survivor
		for _, l := range k.living {
			for _, pid := range survivors(service, l, marked) {
				here = append(here, Survivor{service, l.Generation, pid})
			}
		}
		switch {
		case len(here) > 0:
		case k.wanted != "":
			if err := s.Save(service, nil, k.wanted); err != nil {
				return nil, err
			}
		default:
			if err := os.Remove(s.path(service + ".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("forget %s: %w", service, err)
			}
		}
		found = append(found, here...)
	}
	if len(found) == 0 {
		if err := s.starts.forget(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b Survivor) int { return a.PID - b.PID })
	return found, nil
}

// Wanted returns what an earlier hupwatch was asked for, by service.
func (s *Store) Wanted() (map[string]lifecycle.Wanted, error) {
	recorded, err := s.load()
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]lifecycle.Wanted)
	for service, k := range recorded {
		if k.wanted != "" {
			wanted[service] = k.wanted
		}
	}
	return wanted, nil
}

func survivors(service string, l services.Living, marked []process.Living) []int {
	var pids []int
	if l.PID != 0 && l.Alive() {
		pids = append(pids, l.PID)
	}
	for _, m := range marked {
		// A session leader that is not the recorded process left the generation
		// of its own accord.
		left := m.Leader && l.PID != 0 && m.PID != l.PID
		if m.Service == service && m.Generation == l.Generation && !left && !slices.Contains(pids, m.PID) {
			pids = append(pids, m.PID)
		}
	}
	return pids
}
