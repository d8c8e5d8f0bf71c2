package server

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
)

func TestSharesLimitEachUserAndRole(t *testing.T) {
	t.Parallel()
	s := newShares(limits{clients: 5, others: 3, each: 2, strangers: 1, surplus: 1})
	for i, step := range []struct {
		role role
		uid  int
		want place
	}{
		{member, 1, placeMember},
		{member, 1, placeMember},
		{member, 1, placeNone}, // has what one may have
		{member, 2, placeMember},
		{member, 3, placeNone}, // all have what they may have
		{stranger, 4, placeStranger},
		{stranger, 5, placeNone},
		{master, 0, placeMaster},
		{master, 0, placeMaster},
		{master, 0, placeNone}, // that is all there is
	} {
		if got := s.take(step.role, step.uid); got != step.want {
			t.Errorf("step %d: place %d, want %d", i, got, step.want)
		}
	}
	if s.takeSurplus() != placeSurplus || s.takeSurplus() != placeNone {
		t.Error("surplus is not one")
	}
	s.give(placeMember, 1)
	<-s.freed
	if s.take(master, 0) != placeMaster || s.take(member, 1) != placeNone {
		t.Error("root did not get the place that became free")
	}
	s.give(placeMaster, 0)
	s.give(placeSurplus, 9)
	s.give(placeStranger, 4)
	if s.take(member, 1) != placeMember || s.takeSurplus() != placeSurplus || s.take(stranger, 5) != placeStranger {
		t.Error("places are not given back")
	}
	for _, uid := range []int{1, 1, 2} {
		s.give(placeMember, uid)
	}
	if len(s.uids) != 0 {
		t.Errorf("it remembers %v", s.uids)
	}
}

func TestASocketThatHasEndedIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	s := socket{path: filepath.Join(t.TempDir(), "s")}
	s.end()
	if l, err := s.listen(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, %v", l, err)
	}
}
