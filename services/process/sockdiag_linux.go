package process

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// /proc/net/tcp has a line for every connection, also for a minute after its end: on a
// busy host the kernel needs tens of milliseconds to write it. sock_diag(7) returns
// only what is asked for. It covers only hupwatch's own network namespace, and a
// container may not have it.

// listener is a TCP socket that listens.
type listener struct {
	address netip.AddrPort
	inode   string
}

// errNoDiag says that the kernel does not answer as it should.
var errNoDiag = errors.New("unexpected answer of sock_diag")

// sameNetwork reports whether a process has the network namespace of hupwatch.
func sameNetwork(pid int) bool {
	own, err := os.Readlink("/proc/self/ns/net")
	other, otherErr := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
	return err == nil && otherErr == nil && own == other
}

// diag adds the netlink header to a request, sends it, and calls each for every
// socket in the answer. With dump the request is for all that match.
func diag(dump bool, request []byte, each func(message []byte) error) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// A kernel answers at once; what only pretends to be one may not.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return err
	}
	flags := unix.NLM_F_REQUEST
	if dump {
		flags |= unix.NLM_F_DUMP
	}
	header := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(request))
	binary.NativeEndian.PutUint32(header[0:], uint32(cap(header)))
	binary.NativeEndian.PutUint16(header[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(header[6:], uint16(flags))
	if err := unix.Sendto(fd, append(header, request...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for buffer := make([]byte, 1<<15); ; {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				return diagError(m.Data)
			case unix.SOCK_DIAG_BY_FAMILY:
				if err := each(m.Data); err != nil {
					return err
				}
			default:
				return errNoDiag
			}
		}
		if !dump {
			return nil
		}
	}
}

// diagError reads a nlmsgerr.
func diagError(m []byte) error {
	if len(m) < 4 {
		return errNoDiag
	}
	if number := int32(binary.NativeEndian.Uint32(m)); number < 0 {
		return unix.Errno(-number)
	}
	return errNoDiag
}

// inetRequest is an inet_diag_req_v2 for the TCP sockets of a family that are in
// these states.
func inetRequest(family uint8, states uint32) []byte {
	q := make([]byte, 56)
	q[0], q[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(q[4:], states)
	return q
}

// listeners asks for the TCP sockets of a family that listen.
func listeners(family uint8) (found []listener, err error) {
	err = diag(true, inetRequest(family, 1<<unix.BPF_TCP_LISTEN), func(m []byte) error {
		s, err := parseInet(m)
		found = append(found, listener{s.local, strconv.FormatUint(s.inode, 10)})
		return err
	})
	return found, err
}

// connectionsOf asks for the connections that came in at an address: their inodes,
// 0 for what is not accepted yet.
func connectionsOf(address netip.AddrPort) (inodes []uint64, err error) {
	const states = 1<<unix.BPF_TCP_ESTABLISHED | 1<<unix.BPF_TCP_CLOSE_WAIT
	families := []uint8{unix.AF_INET, unix.AF_INET6}
	if a := address.Addr(); !a.IsUnspecified() {
		families = families[1:]
		if a.Is4() { // only a socket on :: has some of IPv4 among those of IPv6
			families = []uint8{unix.AF_INET}
		}
	}
	for _, family := range families {
		request := inetRequest(family, states)
		binary.BigEndian.PutUint16(request[8:], address.Port())
		err := diag(true, request, func(m []byte) error {
			s, err := parseInet(m)
			if err == nil && (address.Addr().IsUnspecified() || s.local == address) {
				inodes = append(inodes, s.inode)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return inodes, nil
}

// connectionInode asks for the inode of one connection, seen from its local end; 0
// until it is accepted. The error is ENOENT if this host has no such socket.
func connectionInode(local, remote netip.AddrPort) (inode uint64, err error) {
	family := uint8(unix.AF_INET6)
	if local.Addr().Is4() {
		family = unix.AF_INET
	}
	q := inetRequest(family, ^uint32(0))
	binary.BigEndian.PutUint16(q[8:], local.Port())
	binary.BigEndian.PutUint16(q[10:], remote.Port())
	copy(q[12:28], local.Addr().AsSlice())
	copy(q[28:44], remote.Addr().AsSlice())
	if zone, err := strconv.ParseUint(local.Addr().Zone(), 10, 32); err == nil {
		binary.NativeEndian.PutUint32(q[44:], uint32(zone))
	}
	for i := 48; i < 56; i++ { // no cookie
		q[i] = 0xff
	}
	err = diag(false, q, func(m []byte) error {
		s, err := parseInet(m)
		inode = s.inode
		return err
	})
	return inode, err
}

// inetSocket is what an inet_diag_msg says.
type inetSocket struct {
	local netip.AddrPort
	inode uint64
}

// parseInet reads an inet_diag_msg: the port is at 4, the address at 8, the inode at
// 68.
func parseInet(m []byte) (inetSocket, error) {
	if len(m) < 72 {
		return inetSocket{}, errNoDiag
	}
	host := netip.AddrFrom16([16]byte(m[8:24])).Unmap()
	if m[0] == unix.AF_INET {
		host = netip.AddrFrom4([4]byte(m[8:12]))
	}
	return inetSocket{
		local: netip.AddrPortFrom(host, binary.BigEndian.Uint16(m[4:])),
		inode: uint64(binary.NativeEndian.Uint32(m[68:])),
	}, nil
}

// The parts of a unix_diag_msg that can be asked for, and the attributes they come
// in (linux/unix_diag.h).
const (
	showName, showPeer, showQueue = 1 << 0, 1 << 2, 1 << 4
	attrName, attrPeer, attrQueue = 0, 2, 4
)

// unixName asks for the name of a unix socket: that of a connection is the path it
// was accepted from.
func unixName(inode uint64) (string, error) {
	name, err := unixAttribute(inode, showName, attrName)
	for len(name) > 0 && name[len(name)-1] == 0 {
		name = name[:len(name)-1]
	}
	return string(name), err
}

// unixPeer asks for the inode of the socket that a unix socket is connected to; 0
// until the connection is accepted.
func unixPeer(inode uint64) (uint64, error) {
	peer, err := unixAttribute(inode, showPeer, attrPeer)
	if err != nil || len(peer) < 4 {
		return 0, err
	}
	return uint64(binary.NativeEndian.Uint32(peer)), nil
}

func unixAttribute(inode uint64, show uint32, attribute uint16) (value []byte, err error) {
	q := make([]byte, 24) // a unix_diag_req
	q[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(q[4:], ^uint32(0)) // whatever its state
	binary.NativeEndian.PutUint32(q[8:], uint32(inode))
	binary.NativeEndian.PutUint32(q[12:], show)
	for i := 16; i < 24; i++ { // no cookie
		q[i] = 0xff
	}
	err = diag(false, q, func(m []byte) error {
		const head = 16 // of a unix_diag_msg, attributes follow
		for m = m[min(head, len(m)):]; len(m) >= unix.SizeofRtAttr; {
			size, kind := int(binary.NativeEndian.Uint16(m)), binary.NativeEndian.Uint16(m[2:])
			if size < unix.SizeofRtAttr || size > len(m) {
				return errNoDiag
			}
			if kind == attribute {
				value = append(value, m[unix.SizeofRtAttr:size]...)
			}
			m = m[min((size+3)&^3, len(m)):]
		}
		return nil
	})
	return value, err
}
