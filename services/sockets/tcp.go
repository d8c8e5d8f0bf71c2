package sockets

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

func (s *socket) openTCP() error {
	host, service, err := net.SplitHostPort(s.listen.Address)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return fmt.Errorf("not a port: %q", service)
	}
	var ip netip.Addr
	if host != "" {
		if ip, err = netip.ParseAddr(host); err != nil {
			return err
		}
	}

	switch network := s.listen.Network; {
	case ip.Is4():
		return s.bindIPv4(ip, int(port))
	case ip.Is6():
		everything := network == "tcp" && ip.IsUnspecified()
		return s.bindIPv6(ip, int(port), !everything)
	case network == "tcp4":
		return s.bindIPv4(netip.IPv4Unspecified(), int(port))
	case network == "tcp6":
		return s.bindIPv6(netip.IPv6Unspecified(), int(port), true)
	}
	err = s.bindIPv6(netip.IPv6Unspecified(), int(port), false)
	if noDualStack(err) {
		return s.bindIPv4(netip.IPv4Unspecified(), int(port))
	}
	return err
}

// noDualStack reports whether there is no IPv6, or none that takes IPv4 too.
func noDualStack(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EINVAL)
}

func (s *socket) bindIPv4(ip netip.Addr, port int) error {
	if err := s.newTCP(unix.AF_INET); err != nil {
		return err
	}
	return unix.Bind(s.fd, &unix.SockaddrInet4{Port: port, Addr: ip.As4()})
}

func (s *socket) bindIPv6(ip netip.Addr, port int, only bool) error {
	zone, err := zoneID(ip.Zone())
	if err != nil {
		return err
	}
	if err := s.newTCP(unix.AF_INET6); err != nil {
		return err
	}
	v6only := 0
	if only {
		v6only = 1
	}
	if err := unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only); err != nil {
		return err
	}
	return unix.Bind(s.fd, &unix.SockaddrInet6{Port: port, Addr: ip.As16(), ZoneId: zone})
}

func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if index, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(index), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("interface %s: %w", zone, err)
	}
	return uint32(i.Index), nil
}

// newTCP makes the socket, without SO_REUSEPORT: every generation accepts from one
// queue, so that no connection is lost when a generation ends.
func (s *socket) newTCP(family int) error {
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
	var err error
	if s.fd, err = newSocket(family); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	// Connections inherit it. Servers that take a listener over by its number do not
	// set it, and would answer 40 ms later on each connection that is kept alive.
	return unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}
