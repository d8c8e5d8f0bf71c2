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

// /proc/net/tcp has a line for every connection, and for a minute for every one there
// was: on a busy host it takes the kernel tens of milliseconds to write. sock_diag(7)
// has the listening sockets alone. It speaks of hupwatch's own network namespace only,
// and a container may not have it.

// listener is a TCP socket that listens.
type listener struct {
	address netip.AddrPort
	inode   string
}

// errNoDiag says that the kernel does not answer as it should.
var errNoDiag = errors.New("unexpected answer of sock_diag")

// sameNetwork tells whether a process has the network namespace of hupwatch.
func sameNetwork(pid int) bool {
	own, err := os.Readlink("/proc/self/ns/net")
	other, otherErr := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
	return err == nil && otherErr == nil && own == other
}

// listeners asks for the TCP sockets of a family that listen.
func listeners(family uint8) ([]listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	// The kernel answers at once; who only pretends to be one may not.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return nil, err
	}
	if err := unix.Sendto(fd, listenersQuery(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var found []listener
	for buffer := make([]byte, 1<<15); ; {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return found, nil
			case unix.SOCK_DIAG_BY_FAMILY:
				l, err := parseListener(m.Data)
				if err != nil {
					return nil, err
				}
				found = append(found, l)
			default:
				return nil, errNoDiag
			}
		}
	}
}

// listenersQuery is a nlmsghdr and an inet_diag_req_v2 for the state LISTEN.
func listenersQuery(family uint8) []byte {
	const header, request = unix.NLMSG_HDRLEN, 56
	q := make([]byte, header+request)
	binary.NativeEndian.PutUint32(q[0:], header+request)
	binary.NativeEndian.PutUint16(q[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(q[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	q[header] = family
	q[header+1] = unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(q[header+4:], 1<<unix.BPF_TCP_LISTEN)
	return q
}

// parseListener reads an inet_diag_msg: the port is at 4, the address at 8, the inode
// at 68.
func parseListener(m []byte) (listener, error) {
	if len(m) < 72 {
		return listener{}, errNoDiag
	}
	host := netip.AddrFrom16([16]byte(m[8:24])).Unmap()
	if m[0] == unix.AF_INET {
		host = netip.AddrFrom4([4]byte(m[8:12]))
	}
	inode := strconv.FormatUint(uint64(binary.NativeEndian.Uint32(m[68:])), 10)
	return listener{netip.AddrPortFrom(host, binary.BigEndian.Uint16(m[4:])), inode}, nil
}
