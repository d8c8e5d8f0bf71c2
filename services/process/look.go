package process

import (
	"errors"
	"net/netip"
)

// ErrElsewhere says that the other end of a connection is not on this host.
var ErrElsewhere = errors.New("the other end is not on this host")

// ErrHungUp says that the other end was accepted, and closed again.
var ErrHungUp = errors.New("the connection was accepted, and closed at once")

// ErrNotSeen says that the kernel does not show who has the other end.
var ErrNotSeen = errors.New("the kernel does not show who has the other end")

// Listener is a listening socket that a generation has inherited.
type Listener struct {
	inode, device uint64
	tcp           netip.AddrPort
	path          string // of a unix socket
}

// Sight is what was seen of the processes that wait for connections on a listener.
type Sight struct {
	// Waits is set if a process waits for connections on it, or holds one that it
	// has accepted from it.
	Waits bool
	// Registered is set if a process has only told an epoll to report connections:
	// it may accept them later, or never.
	Registered bool
	// Unseen says why not everything could be seen, for people; empty if it could.
	Unseen string
}
