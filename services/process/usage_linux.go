package process

import (
	"errors"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Memory returns the resident memory of all processes of each of the sessions,
// in bytes, by one look at every process of the host. What processes share counts
// for each of them. A session that is gone is left out.
func Memory(sessions []int) map[int]int64 {
	held := make(map[int]int64, len(sessions))
	page := int64(os.Getpagesize())
	asked := make(map[int]bool, len(sessions))
	for _, session := range sessions {
		asked[session] = true
	}
	eachMember(func(_ int, s stat) {
		if asked[s.session] {
			held[s.session] += s.pages * page
		}
	})
	return held
}

// Connections returns how many connections of clients the processes of a session
// hold: over TCP those to an address that somebody still listens on, over unix
// sockets those to one with a name, unless the client is in another network
// namespace. A connection that several processes hold is one. The number is not known
// if there is no such session, or if the system does not show it, as with another
// user's processes if hupwatch is not root.
func Connections(session int) (n int, known bool) {
	var pids []int
	eachMember(func(pid int, s stat) {
		if s.session == session {
			pids = append(pids, pid)
		}
	})
	held := make(map[string]bool)
	spaces := make(map[string][]int) // the processes by their network namespaces
	for _, pid := range pids {
		namespace, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
		switch {
		case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH):
			continue // gone by now
		case err != nil:
			return 0, false
		}
		sockets(pid, held)
		spaces[namespace] = append(spaces[namespace], pid)
	}
	for _, pids := range spaces {
		counted, ok := connections(pids, held)
		if !ok {
			return 0, false
		}
		n += counted
	}
	return n, len(spaces) > 0
}

// connections counts which of the sockets are connections of clients. It uses the
// tables of the network namespace that these processes are in.
func connections(pids []int, held map[string]bool) (n int, ok bool) {
	for _, pid := range pids {
		dir := "/proc/" + strconv.Itoa(pid) + "/net/"
		tcp, err := os.ReadFile(dir + "tcp")
		if err != nil {
			continue // it is gone; the next one has the same tables
		}
		tcp6, _ := os.ReadFile(dir + "tcp6") // there may be none
		local, _ := os.ReadFile(dir + "unix")
		return connectionsTCP(append(tcp, tcp6...), held) + connectionsUnix(local, held), true
	}
	return 0, false
}

// connectionsTCP counts in /proc/net/tcp.
func connectionsTCP(text []byte, held map[string]bool) int {
	const established, closeWait = "01", "08"
	listening := make(map[netip.AddrPort]bool)
	anywhere := make(map[uint16]bool) // the ports that are listened on at every address
	var locals []netip.AddrPort
	for s := range tcpSockets(text) {
		if s.state != stateListen && (!held[s.inode] || s.state != established && s.state != closeWait) {
			continue
		}
		addr, err := parseHexAddress(s.local)
		switch {
		case err != nil:
		case s.state != stateListen:
			locals = append(locals, addr)
		case addr.Addr().IsUnspecified():
			anywhere[addr.Port()] = true
		default:
			listening[addr] = true
		}
	}
	n := 0
	for _, addr := range locals {
		if listening[addr] || anywhere[addr.Port()] {
			n++
		}
	}
	return n
}

// connectionsUnix counts in /proc/net/unix. The name of a connection is that of the
// listening socket if it comes from one.
func connectionsUnix(text []byte, held map[string]bool) int {
	const stream, packets, connected = "0001", "0005", "03"
	n := 0
	for s := range unixSockets(text) {
		if held[s.inode] && s.state == connected && (s.kind == stream || s.kind == packets) {
			n++
		}
	}
	return n
}

// eachMember looks at every process that runs.
func eachMember(look func(pid int, s stat)) {
	for _, pid := range pids() {
		if s, ok := readStat(pid); ok && s.alive() {
			look(pid, s)
		}
	}
}
