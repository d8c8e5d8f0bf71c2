package server

import "sync"

// shares counts who has how many of the connections, so that nobody takes those
// of the others.
type shares struct {
	limits limits
	freed  chan struct{} // has a value when there may be room again

	mu    sync.Mutex // guards what is below
	taken [placeSurplus + 1]int
	uids  map[int]int // members of the control group
}

// place is what a connection takes up.
type place int

const (
	placeNone place = iota
	placeMaster
	placeMember
	placeStranger // for a client that may do nothing, and is told so
	placeSurplus  // for a client that there is no room for, and that is told so
)

func newShares(l limits) *shares {
	return &shares{limits: l, freed: make(chan struct{}, 1), uids: make(map[int]int)}
}

// take returns the place for a connection, or placeNone if there is no room.
func (s *shares) take(r role, uid int) place {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.taken[placeMaster] + s.taken[placeMember]
	at := placeNone
	switch {
	case r == stranger && s.taken[placeStranger] < s.limits.strangers:
		at = placeStranger
	case r == stranger, all >= s.limits.clients:
	case r == master:
		at = placeMaster
	case s.taken[placeMember] < s.limits.others && s.uids[uid] < s.limits.each:
		at = placeMember
		s.uids[uid]++
	}
	s.taken[at]++
	return at
}

// takeSurplus returns a place for a client that is turned away, if there is one.
func (s *shares) takeSurplus() place {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[placeSurplus] >= s.limits.surplus {
		return placeNone
	}
	s.taken[placeSurplus]++
	return placeSurplus
}

// give gives a place back.
func (s *shares) give(at place, uid int) {
	s.mu.Lock()
	s.taken[at]--
	if at == placeMember {
		if s.uids[uid]--; s.uids[uid] == 0 {
			delete(s.uids, uid)
		}
	}
	s.mu.Unlock()
	select {
	case s.freed <- struct{}{}:
	default:
	}
}
