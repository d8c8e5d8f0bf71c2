package server

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"sync"
)

// peer is the process at the other end of a connection, as the kernel recorded it when
// that was made.
type peer struct {
	known    bool // false on systems that do not say
	uid, gid int
	pid      int // 0 if unknown
	// groups are the supplementary ones. groupsTold says that the kernel gave them.
	groups     []int
	groupsTold bool
	lookUp     sync.Once
}

// role is what a peer may do.
type role int

const (
	stranger role = iota // nothing
	member               // what the control group may do
	master               // all
)

// role judges a peer by what holds at this moment.
func (s *Server) role(p *peer) role {
	if !p.known { // only the owner could connect, and may do all
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

// in reports whether the peer is in a group. If the kernel did not give the groups, it
// looks into the accounts of the host, which may take long.
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

// String names the peer, for the By of its requests.
func (p *peer) String() string {
	switch {
	case !p.known:
		return "control socket"
	case p.pid == 0:
		return fmt.Sprintf("uid %d", p.uid)
	}
	return fmt.Sprintf("uid %d pid %d", p.uid, p.pid)
}
