package config

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// claim is an address that a service listens on, or publishes, and where the
// file says so.
type claim struct {
	Listen
	publish bool
	service string
	source  *source
	path    string
}

func (t *table) claim(c claim) {
	slot := c.slot()
	for _, other := range t.claims[slot] {
		if !c.overlap(other.Listen) {
			continue
		}
		t.found = append(t.found, finding{source: c.source, path: c.path, text: c.taken(other)})
		return
	}
	t.claims[slot] = append(t.claims[slot], c)
}

// taken says which service has the address already, and where the file says so.
func (c claim) taken(other claim) string {
	wants, has := "listen on", "does so"
	if c.publish {
		wants = "publish"
	}
	switch {
	case other.publish && !c.publish:
		has = "publishes it"
	case c.publish && !other.publish:
		has = "listens on it"
	}
	return fmt.Sprintf("service %s cannot %s %s, service %s %s at %s", c.service, wants, c.Address, other.service, has, other.source.place(other.path))
}

// overlap reports whether two listeners would claim the same address.
func (l Listen) overlap(other Listen) bool {
	if l.Network == "unix" || other.Network == "unix" {
		return l.Network == other.Network && l.slot() == other.slot()
	}

	host, port, _ := net.SplitHostPort(l.Address)
	otherHost, otherPort, _ := net.SplitHostPort(other.Address)
	if port != otherPort {
		return false
	}
	if host == otherHost && (l.Network == other.Network || l.Network == "tcp" || other.Network == "tcp") {
		return true
	}
	return l.covers(host, other.Network, otherHost) || other.covers(otherHost, l.Network, host)
}

// covers reports whether a listener on all addresses takes this one too. The zero
// address of IPv6 takes those of IPv4 as well, except with tcp6.
func (l Listen) covers(host, otherNetwork, otherHost string) bool {
	four, six := families(otherNetwork, otherHost)
	switch host {
	case "0.0.0.0":
		return four
	case "", "::":
		return four && l.Network != "tcp6" || six && l.Network != "tcp4"
	}
	return false
}

// families says which of IPv4 and IPv6 a listener takes.
func families(network, host string) (four, six bool) {
	switch {
	case network == "tcp4", host == "0.0.0.0":
		return true, false
	case network == "tcp6":
		return false, true
	case host == "", host == "::":
		return true, true
	}
	is6 := strings.Contains(host, ":")
	return !is6, is6
}

// slot is what two listeners must have in common to overlap: the path or the port.
func (l Listen) slot() string {
	if l.Network == "unix" {
		return filepath.Clean(l.Address)
	}
	_, port, _ := net.SplitHostPort(l.Address)
	return port
}
