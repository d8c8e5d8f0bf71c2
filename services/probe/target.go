package probe

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"hupwatch/config"
)

// Target is what to probe. Everything in it is expanded.
type Target struct {
	// Kind is ReadyHTTP, ReadyTCP or ReadyUnix.
	Kind config.ReadyKind
	// URL is what http asks for, and Headers what it sends besides. Host may be one.
	URL     string
	Headers map[string]string
	// Address is what tcp or unix connect to, HOST:PORT or a path; of http it is
	// the path of a unix socket, or empty.
	Address string
	// Timeout is how long an attempt may take.
	Timeout time.Duration
}

// String names the target for messages, without what may be secret in it.
func (t Target) String() string {
	if t.Kind != config.ReadyHTTP {
		return string(t.Kind) + " " + t.Address
	}
	name := "http"
	if u, err := url.Parse(t.URL); err == nil {
		name = u.Redacted()
	}
	if t.Address != "" {
		name += " over unix " + t.Address
	}
	return name
}

// Listeners returns the addresses on which a process may listen to be reached by the
// probe, in the notation of process.Listening: the address itself, and those that
// take in all of the host. It returns none if the name does not show them.
func (t Target) Listeners() []string {
	if path := t.socket(); path != "" {
		return []string{"unix " + path}
	}
	host, port, err := net.SplitHostPort(t.hostPort())
	if err != nil {
		return nil
	}
	hosts := addresses(host)
	var found []string
	for _, h := range hosts {
		if addr, err := netip.ParseAddrPort(net.JoinHostPort(h, port)); err == nil {
			found = append(found, "tcp "+addr.String())
		}
	}
	return found
}

// socket is the path of the unix socket that is connected to, if it is one.
func (t Target) socket() string {
	if t.Kind == config.ReadyTCP {
		return ""
	}
	return t.Address
}

// hostPort is what is connected to over TCP.
func (t Target) hostPort() string {
	if t.Kind != config.ReadyHTTP {
		return t.Address
	}
	u, err := url.Parse(t.URL)
	if err != nil {
		return ""
	}
	return hostPort(u)
}

func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// addresses are those that a listener may have for connections to the host.
func addresses(host string) []string {
	const all4, all6 = "0.0.0.0", "::"
	addr, err := netip.ParseAddr(host)
	addr = addr.Unmap().WithZone("")
	switch {
	case host == "", strings.EqualFold(host, "localhost"):
		return []string{"127.0.0.1", "::1", all4, all6}
	case err != nil:
		return nil
	case addr == netip.IPv4Unspecified(): // the kernel takes it for this host
		return []string{"127.0.0.1", all4, all6}
	case addr == netip.IPv6Unspecified():
		return []string{"::1", all6}
	case addr.Is4():
		return []string{addr.String(), all4, all6}
	default:
		return []string{addr.String(), all6}
	}
}
