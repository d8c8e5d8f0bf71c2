package process

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Memory returns the resident memory of all processes of each of the sessions,
// in bytes, by one look at every process of the host. What processes share counts
// for each of them. A session that is gone is left out.
func Memory(sessions []int) map[int]int64 {
	held := make(map[int]int64, len(sessions))
	page := int64(os.Getpagesize())
	eachMember(func(_ int, m member) {
		if slices.Contains(sessions, m.session) {
			held[m.session] += m.pages * page
		}
	})
	return held
}

// Connections returns how many connections of clients the processes of a session
// hold: over TCP those to an address that somebody still listens on, over unix
// sockets those to one with a name, unless the client is in another network
// namespace. A connection that several processes hold is one. It is not known where the system does not tell, as of another user's
// processes to a hupwatch that is not root, or where there is no such session.
func Connections(session int) (n int, known bool) {
	var pids []int
	eachMember(func(pid int, m member) {
		if m.session == session {
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

// connections counts those of the sockets that are connections of clients, with
// the tables of a network namespace that these processes are in.
func connections(pids []int, held map[string]bool) (n int, ok bool) {
	for _, pid := range pids {
		dir := "/proc/" + strconv.Itoa(pid) + "/net/"
		tcp, err := os.ReadFile(dir + "tcp")
		if err != nil {
			continue // it is gone; another one will do
		}
		tcp6, _ := os.ReadFile(dir + "tcp6") // there may be none
		local, _ := os.ReadFile(dir + "unix")
		return connectionsTCP(append(tcp, tcp6...), held) + connectionsUnix(local, held), true
	}
	return 0, false
}

// connectionsTCP reads the lines of /proc/net/tcp: the second field is the local
// address, the fourth the state, the tenth the inode.
func connectionsTCP(text []byte, held map[string]bool) int {
	const established, closeWait, listen = "01", "08", "0A"
	listening := make(map[netip.AddrPort]bool)
	anywhere := make(map[uint16]bool) // the ports that are listened on at every address
	var locals []netip.AddrPort
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) < 10 || f[3] != listen && (!held[f[9]] || f[3] != established && f[3] != closeWait) {
			continue
		}
		addr, err := parseHexAddress(f[1])
		switch {
		case err != nil:
		case f[3] != listen:
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

// connectionsUnix reads the lines of /proc/net/unix: the fifth field is the type,
// the sixth the state, the seventh the inode, the eighth the name, which is that
// of the listening socket where it comes from one.
func connectionsUnix(text []byte, held map[string]bool) int {
	const stream, packets, connected = "0001", "0005", "03"
	n := 0
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) >= 8 && held[f[6]] && f[5] == connected && (f[4] == stream || f[4] == packets) {
			n++
		}
	}
	return n
}

// member is what a process is of a session.
type member struct {
	session int
	pages   int64 // resident
}

// eachMember looks at every process that runs. The files are opened below /proc,
// with one buffer for all: there may be thousands.
func eachMember(look func(pid int, m member)) {
	proc, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(proc)
	b := make([]byte, 1024) // 52 numbers and a short name
	for _, pid := range pids() {
		fd, err := unix.Openat(proc, strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue // gone by now
		}
		n, err := unix.Read(fd, b)
		_ = unix.Close(fd)
		if err != nil {
			continue
		}
		if m, ok := parseMember(b[:n]); ok {
			look(pid, m)
		}
	}
}

// parseMember reads what comes after the name of the program, as parseStat does.
func parseMember(b []byte) (member, bool) {
	const state, session, resident = 0, 3, 21 // from the third field on
	var m member
	i := 0
	for field := range bytes.FieldsSeq(b[bytes.LastIndexByte(b, ')')+1:]) {
		var err error
		switch i {
		case state:
			if field[0] == 'Z' || field[0] == 'X' {
				return m, false
			}
		case session:
			m.session, err = strconv.Atoi(string(field))
		case resident:
			m.pages, err = strconv.ParseInt(string(field), 10, 64)
			return m, err == nil
		}
		if err != nil {
			return m, false
		}
		i++
	}
	return m, false
}
