package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// longestUnixPath is the longest path of a unix socket that the kernel takes: its
// field less the closing NUL.
const longestUnixPath = len(syscall.RawSockaddrUnix{}.Path) - 1

const listenForms = `expected "tcp://127.0.0.1:8000", "tcp://:8000" for every address, or "unix:///run/web.sock"`

// parseAddress decodes the address of a listener, whose variables are expanded
// already. A relative path of a unix socket is below dir.
func parseAddress(s, dir string) (network, address string, err error) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return "", "", unknownAddress(s)
	}

	switch scheme {
	case "tcp", "tcp4", "tcp6":
		hostPort, ok := strings.CutPrefix(rest, "//")
		if !ok {
			return "", "", fmt.Errorf("%q has no // behind %s: %s", s, scheme, listenForms)
		}
		address, err = tcpAddress(scheme, hostPort)
	case "unix":
		address, err = unixAddress(rest, dir)
	default:
		return "", "", unknownAddress(s)
	}
	return scheme, address, err
}

// unknownAddress proposes the address that was probably meant.
func unknownAddress(s string) error {
	guess := ""
	switch {
	case strings.HasPrefix(s, "/"):
		guess = "unix://" + s
	case strings.HasPrefix(s, "http://"), strings.HasPrefix(s, "https://"):
		_, rest, _ := strings.Cut(s, "://")
		guess = "tcp://" + strings.TrimRight(rest, "/")
	case strings.HasPrefix(s, "udp"), strings.HasPrefix(s, "fd:"):
		return fmt.Errorf("%q: only tcp and unix sockets are supported", s)
	case isPort(s):
		guess = "tcp://127.0.0.1:" + s
	default:
		if _, _, err := net.SplitHostPort(s); err == nil {
			guess = "tcp://" + s
		}
	}

	if guess != "" {
		return fmt.Errorf("not an address: %q, did you mean %q?", s, guess)
	}
	return fmt.Errorf("not an address: %q: %s", s, listenForms)
}

func tcpAddress(network, s string) (string, error) {
	host, port, err := net.SplitHostPort(strings.TrimSuffix(s, "/"))
	switch {
	case err != nil && strings.Count(s, ":") > 1:
		return "", fmt.Errorf("not an address: %q: IPv6 addresses stand in brackets, like %s://[::1]:8000", s, network)
	case err != nil:
		return "", fmt.Errorf("no port in %q: %s", s, listenForms)
	}
	if port == "0" {
		return "", errors.New("port 0 is a different port each time: every generation must meet the same address, so name one")
	}
	if !isPort(port) {
		return "", fmt.Errorf("not a port: %q: expected 1 to 65535", port)
	}

	ip, err := literalIP(network, host)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(ip, strings.TrimLeft(port, "0")), nil
}

// literalIP returns the host as an IP address; empty stands for every address.
func literalIP(network, host string) (string, error) {
	switch host {
	case "", "*":
		return "", nil
	case "localhost":
		if network == "tcp6" {
			return "::1", nil
		}
		return "127.0.0.1", nil
	}

	ip, err := netip.ParseAddr(host)
	switch ip = ip.Unmap(); {
	case err != nil:
		return "", fmt.Errorf("%q is not an IP address: write the address itself, a host name may mean another one tomorrow", host)
	case network == "tcp4" && !ip.Is4():
		return "", fmt.Errorf("%s is not an IPv4 address: write tcp6:// or tcp://", ip)
	case network == "tcp6" && !ip.Is6():
		return "", fmt.Errorf("%s is not an IPv6 address: write tcp4:// or tcp://", ip)
	}
	return ip.String(), nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

func unixAddress(s, dir string) (string, error) {
	path, err := unixPath(s, dir)
	if err != nil {
		return "", err
	}
	if len(path) > longestUnixPath {
		return "", fmt.Errorf("the path %s has %d bytes: the kernel allows %d for a unix socket", path, len(path), longestUnixPath)
	}
	return path, nil
}

// unixPath decodes a path, alone or behind unix:. It does not check the length.
func unixPath(s, dir string) (string, error) {
	path := strings.TrimPrefix(s, "//")
	if path != s && !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("the path behind unix:// is not absolute: write unix:///%s, or unix:%s for one beside this file", path, path)
	}
	if strings.HasPrefix(path, "@") {
		return "", errors.New("an abstract socket has no permissions, anyone may connect to it: use a path")
	}
	if err := checkPath(path); err != nil {
		return "", err
	}
	if strings.HasSuffix(path, "/") {
		return "", fmt.Errorf("%q is a directory: name the socket in it", path)
	}
	return joinPath(dir, path), nil
}

// looksLikeTCP reports whether a port stands where a path should.
func looksLikeTCP(s string) bool {
	if strings.HasPrefix(s, "unix:") || strings.HasPrefix(s, "$") {
		return false
	}
	_, port, err := net.SplitHostPort(s)
	return strings.Contains(s, "://") || isPort(s) || err == nil && isPort(port)
}

// checkListenName says what is wrong with a name for LISTEN_FDNAMES, which
// separates names by colons.
func checkListenName(name string) error {
	const most = 255

	bad := func(r rune) bool { return r == ':' || r < ' ' || r > '~' }
	switch {
	case name == "":
		return errors.New("the name is empty: leave the key out for the name of the service")
	case strings.ContainsFunc(name, bad):
		return fmt.Errorf("the name %q has a character that LISTEN_FDNAMES cannot carry: no colons, no control characters, ASCII only", clip(name))
	case len(name) > most:
		return fmt.Errorf("the name has %d characters: %d at most", len(name), most)
	}
	return nil
}
