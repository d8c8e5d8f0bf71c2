package process

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Listening returns the addresses that a process and its descendants listen on,
// sorted: "tcp 127.0.0.1:80", "unix /run/web.sock". Ports that the kernel hands
// out by itself are left out: two processes never have the same. It returns none
// if the system does not show them, as with another user's process if hupwatch
// is not root.
func Listening(pid int) []string {
	low, high := ephemeralPorts()
	return listening(pid, func(port uint16) bool { return port < low || port > high })
}

// ListensAt reports whether a process or one of its descendants listens on one of
// these addresses, in the notation of Listening. Every port counts: somebody chose
// these.
func ListensAt(pid int, addresses []string) bool {
	all := listening(pid, func(uint16) bool { return true })
	return slices.ContainsFunc(addresses, func(address string) bool { return slices.Contains(all, address) })
}

func listening(pid int, counts func(port uint16) bool) []string {
	inodes := socketsOf(pid)
	if len(inodes) == 0 {
		return nil
	}
	var found []string
	root := "/proc/" + strconv.Itoa(pid) + "/net/" // its own network namespace
	same := sameNetwork(pid)
	for name, family := range map[string]uint8{"tcp": unix.AF_INET, "tcp6": unix.AF_INET6} {
		all, err := []listener(nil), errNoDiag
		if same {
			all, err = listeners(family)
		}
		if err != nil {
			all = listenersIn(root + name)
		}
		found = append(found, openedBy(all, inodes, counts)...)
	}
	for s := range listeningUnix(root+"unix", inodes) {
		found = append(found, "unix "+s.name)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// socketsOf are the inodes of the sockets that a process and its descendants have open.
func socketsOf(pid int) map[string]bool {
	inodes := make(map[string]bool)
	for p := range family(pid) {
		sockets(p, inodes)
	}
	return inodes
}

// family yields a process and its descendants, each before its children are looked
// for.
func family(pid int) iter.Seq[int] {
	return func(yield func(int) bool) {
		all := []int{pid}
		for i := 0; i < len(all); i++ {
			if !yield(all[i]) {
				return
			}
			all = append(all, childrenOf(all[i])...)
		}
	}
}

// childrenOf are the children of a process.
func childrenOf(pid int) []int {
	var all []int
	tasks := "/proc/" + strconv.Itoa(pid) + "/task/"
	for _, task := range names(tasks) {
		text, ok := readAll(tasks + task + "/children")
		if !ok {
			continue // it has gone
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}

// sockets adds the inodes of the sockets a process has open.
func sockets(pid int, inodes map[string]bool) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd/"
	var target [64]byte
	for _, name := range names(dir) {
		n, err := unix.Readlink(dir+name, target[:])
		if err != nil {
			continue
		}
		if inode, ok := strings.CutPrefix(string(target[:n]), "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
}

// tcpSocket is a line of /proc/net/tcp, unixSocket one of /proc/net/unix that has
// a name.
type (
	tcpSocket  struct{ local, remote, state, inode string }
	unixSocket struct{ flags, kind, state, inode, name string }
)

const stateListen = "0A"

func tcpSockets(table []byte) iter.Seq[tcpSocket] {
	return func(yield func(tcpSocket) bool) {
		for line := range bytes.Lines(table) {
			if f := strings.Fields(string(line)); len(f) >= 10 && !yield(tcpSocket{f[1], f[2], f[3], f[9]}) {
				return
			}
		}
	}
}

func unixSockets(table []byte) iter.Seq[unixSocket] {
	return func(yield func(unixSocket) bool) {
		for line := range bytes.Lines(table) {
			if f := strings.Fields(string(line)); len(f) >= 8 && !yield(unixSocket{f[3], f[4], f[5], f[6], f[7]}) {
				return
			}
		}
	}
}

// listenersIn reads the listening sockets from /proc/net/tcp, or one like it.
func listenersIn(path string) []listener {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var all []listener
	for s := range tcpSockets(text) {
		if s.state != stateListen {
			continue
		}
		if addr, err := parseHexAddress(s.local); err == nil {
			all = append(all, listener{addr, s.inode})
		}
	}
	return all
}

// openedBy returns the addresses of the sockets whose inode is among these, and whose
// port counts.
func openedBy(all []listener, inodes map[string]bool, counts func(port uint16) bool) []string {
	var found []string
	for _, l := range all {
		if inodes[l.inode] && counts(l.address.Port()) {
			found = append(found, "tcp "+l.address.String())
		}
	}
	return found
}

// parseHexAddress reads 0100007F:1F90: the words of the address in the host's
// byte order. On a big-endian host it is wrong: there, addresses of /proc/net/tcp
// compare with each other only.
func parseHexAddress(s string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("address %q", s)
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q", s)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), nil
}

// listeningUnix yields those of the sockets that accept connections, from
// /proc/net/unix.
func listeningUnix(path string, inodes map[string]bool) iter.Seq[unixSocket] {
	const acceptsConnections = 1 << 16 // __SO_ACCEPTCON
	return func(yield func(unixSocket) bool) {
		text, err := os.ReadFile(path)
		if err != nil {
			return
		}
		for s := range unixSockets(text) {
			flags, err := strconv.ParseUint(s.flags, 16, 32)
			if inodes[s.inode] && err == nil && flags&acceptsConnections != 0 && !yield(s) {
				return
			}
		}
	}
}

// ephemeralPorts is the range of the ports the kernel hands out by itself.
func ephemeralPorts() (low, high uint16) {
	low, high = 32768, 60999
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return low, high
	}
	var l, h uint16
	if _, err := fmt.Sscan(string(text), &l, &h); err == nil {
		return l, h
	}
	return low, high
}
