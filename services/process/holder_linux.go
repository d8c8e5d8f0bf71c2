package process

import (
	"bytes"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Holders returns, for those of these TCP addresses at which somebody listens here, a
// process that does. It looks at every process of the host, once; one that belongs to
// somebody else may not be seen, and has no PID then.
func Holders(addresses []netip.AddrPort) map[netip.AddrPort]Holder {
	found := make(map[netip.AddrPort]Holder)
	at := make(map[string][]netip.AddrPort) // by inode
	for name, family := range map[string]uint8{"tcp": unix.AF_INET, "tcp6": unix.AF_INET6} {
		all, err := listeners(family)
		if err != nil {
			all = listenersIn("/proc/net/" + name)
		}
		for _, l := range all {
			for _, address := range addresses {
				if meet(l.address, address) {
					found[address] = Holder{}
					at[l.inode] = append(at[l.inode], address)
				}
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	for _, name := range names("/proc/") {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		inodes := make(map[string]bool)
		sockets(pid, inodes)
		for inode := range inodes {
			for _, address := range at[inode] {
				if h := holder(pid); found[address].PID == 0 || h.Ours {
					found[address] = h
				}
			}
		}
	}
	return found
}

// meet reports whether nobody can listen at one of these addresses while somebody does at
// the other. Whether a socket at :: has the addresses of IPv4 too is not known.
func meet(a, b netip.AddrPort) bool {
	x, y := a.Addr().Unmap(), b.Addr().Unmap()
	return a.Port() == b.Port() && x.Is4() == y.Is4() && (x == y || x.IsUnspecified() || y.IsUnspecified())
}

func holder(pid int) Holder {
	dir := "/proc/" + strconv.Itoa(pid)
	comm, _ := os.ReadFile(dir + "/comm")
	environ, _ := os.ReadFile(dir + "/environ")
	h := Holder{PID: pid, Name: strings.TrimSpace(string(comm))}
	h.Ours = h.Name == "hupwatch" || bytes.HasPrefix(environ, []byte(MarkVariable+"=")) || bytes.Contains(environ, []byte("\x00"+MarkVariable+"="))
	return h
}
