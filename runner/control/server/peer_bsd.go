//go:build darwin || freebsd

package server

import "golang.org/x/sys/unix"

// peersKnown says whether the kernel tells who is at the other end.
const peersKnown = true

// solLocal is the level of the options of unix sockets.
const solLocal = 0

func peerOf(fd int) (*peer, error) {
	c, err := unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
	if err != nil {
		return nil, err
	}
	n := min(int(c.Ngroups), len(c.Groups))
	p := &peer{known: true, uid: int(c.Uid), gid: -1, groupsTold: n < len(c.Groups)} // the kernel gives len(c.Groups) at most
	for _, gid := range c.Groups[:n] {
		p.groups = append(p.groups, int(gid))
	}
	if n > 0 {
		p.gid = p.groups[0]
	}
	return p, nil
}
