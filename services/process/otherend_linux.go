package process

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// OtherEnd returns the inode of the socket at the other end of a connection, 0 until
// it is accepted. Process.Holder finds the process that has it. OtherEnd looks in
// hupwatch's network namespace and in those of the processes. The error is
// ErrElsewhere if it is on another host, ErrHungUp if it was accepted and is closed
// by now, ErrNotSeen if the kernel does not say.
func OtherEnd(fd int, among ...*Process) (inode uint64, err error) {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("look at the probe's own end: %w", err)
	}
	if _, ok := local.(*unix.SockaddrUnix); ok {
		inode, err = otherEndUnix(fd)
	} else {
		inode, err = otherEndTCP(fd, local, among)
	}
	if inode == 0 && (err == nil || errors.Is(err, ErrElsewhere)) && hungUp(fd) {
		return 0, ErrHungUp
	}
	return inode, err
}

// hungUp reports whether the other end was closed, or shut, in good order: a connection
// that no process has accepted is reset instead.
func hungUp(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(p, 0)
	return err == nil && n == 1 && p[0].Revents&unix.POLLRDHUP != 0 && p[0].Revents&unix.POLLERR == 0
}

func otherEndTCP(fd int, local unix.Sockaddr, among []*Process) (inode uint64, err error) {
	remote, err := unix.Getpeername(fd)
	if err != nil { // it was reset meanwhile
		return 0, fmt.Errorf("look at the other end: %w", err)
	}
	here, known := addressOf(local)
	there, knownToo := addressOf(remote)
	if !known || !knownToo {
		return 0, ErrNotSeen
	}
	inode, err = connectionInode(there, here)
	switch {
	case err == nil:
		return inode, nil
	case errors.Is(err, unix.ENOENT):
		err = ErrElsewhere
	case isOfTheMoment(err):
		return 0, fmt.Errorf("ask the kernel who has the other end: %w", err)
	default:
		if inode, found := connectionIn("/proc/self/net/", there, here); found {
			return inode, nil
		}
		err = ErrNotSeen
	}
	for _, p := range among {
		if sameNetwork(p.PID()) {
			continue
		}
		if inode, found := connectionIn("/proc/"+strconv.Itoa(p.PID())+"/net/", there, here); found {
			return inode, nil
		}
	}
	return 0, err
}

func otherEndUnix(fd int) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, ErrNotSeen
	}
	inode, err := unixPeer(st.Ino)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return inode, nil
	case isOfTheMoment(err):
		return 0, fmt.Errorf("ask the kernel who has the other end: %w", err)
	}
	return 0, ErrNotSeen
}

// connectionIn finds a connection, seen from its local end, in the tables of a network
// namespace.
func connectionIn(dir string, local, remote netip.AddrPort) (inode uint64, found bool) {
	for _, name := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(dir + name)
		if err != nil {
			continue
		}
		for s := range tcpSockets(text) {
			a, err := parseHexAddress(s.local)
			b, otherErr := parseHexAddress(s.remote)
			if err == nil && otherErr == nil && a == local && b == remote {
				inode, err = strconv.ParseUint(s.inode, 10, 64)
				return inode, err == nil
			}
		}
	}
	return 0, false
}

// addressOf is the address of a TCP socket. One of IPv4 stays so in a socket of IPv6.
func addressOf(name unix.Sockaddr) (netip.AddrPort, bool) {
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), true
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10))
		}
		return netip.AddrPortFrom(addr, uint16(a.Port)), true
	}
	return netip.AddrPort{}, false
}
