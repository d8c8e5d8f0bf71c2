package server

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// peersKnown says whether the kernel tells who is at the other end.
const peersKnown = true

func peerOf(fd int) (*peer, error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil, err
	}
	p := &peer{known: true, uid: int(c.Uid), gid: int(c.Gid), pid: int(c.Pid)}
	p.groups, p.groupsTold = peerGroups(fd)
	return p, nil
}

// peerGroups returns the supplementary groups, if the kernel tells them (Linux
// does since 4.13).
func peerGroups(fd int) ([]int, bool) {
	const usual, size = 64, 4

	gids := make([]uint32, usual)
	for {
		length := uint32(len(gids) * size)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&length)), 0)
		n := int(length / size)
		switch {
		case errno == unix.ERANGE && n > len(gids):
			gids = make([]uint32, n)
			continue
		case errno != 0:
			return nil, false
		}
		groups := make([]int, n)
		for i, gid := range gids[:n] {
			groups[i] = int(gid)
		}
		return groups, true
	}
}
