package server

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"sync"
)

// peer is who is at the other end of a connection, as the kernel knows from
// when it was made.
type peer struct {
	known    bool // nothing is, on some systems
	uid, gid int
	pid      int // 0 if unknown
	// groups are the supplementary ones, unless the kernel does not tell.
	groups     []int
	groupsTold bool
	lookUp     sync.Once
}

// role is what a peer may do.
type role int

const (
	stranger role = iota // nothing
	member               // what is asked of the control group
	master               // all
)

// role judges a peer by what holds at this moment.
func (s *Server) role(p *peer) role {
	if !p.known { // who could connect may do all, and that is the owner
		return master
	}
	if p.uid == 0 || p.uid == os.Geteuid() {
		return master
	}
	if gid, ok := s.daemon.ControlGroup(); ok && p.in(gid) {
		return member
	}
	return stranger
}

// in looks into the accounts of the host only if the kernel does not tell the
// groups. That may take long.
func (p *peer) in(gid int) bool {
	if p.gid == gid {
		return true
	}
	if !p.groupsTold {
		p.lookUp.Do(func() { p.groups = groupsOf(p.uid) })
	}
	return slices.Contains(p.groups, gid)
}

func groupsOf(uid int) []int {
	account, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return nil
	}
	ids, err := account.GroupIds()
	if err != nil {
		return nil
	}
	var groups []int
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			groups = append(groups, gid)
		}
	}
	return groups
}

// String is how requests are signed.
func (p *peer) String() string {
	switch {
	case !p.known:
		return "control socket"
	case p.pid == 0:
		return fmt.Sprintf("uid %d", p.uid)
	}
	return fmt.Sprintf("uid %d pid %d", p.uid, p.pid)
}
