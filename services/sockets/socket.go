package sockets

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hupwatch/config"
)

// socket is one open listener.
type socket struct {
	listen config.Listen
	fd     int
	file   *unix.Stat_t // of a unix socket's path
}

func open(l config.Listen) (*socket, error) {
	s := &socket{listen: l, fd: -1}
	var err error
	if l.Network == "unix" {
		err = s.openUnix()
	} else {
		err = s.openTCP()
	}
	if err == nil {
		// Nobody could connect before this: the path has its mode and owner already.
		err = unix.Listen(s.fd, backlog(l))
	}
	if err == nil && l.Blocking {
		err = unix.SetNonblock(s.fd, false)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("%s %s: %w", l.Network, l.Address, explained(err, l))
	}
	return s, nil
}

func backlog(l config.Listen) int {
	if l.Backlog <= 0 {
		return unix.SOMAXCONN
	}
	return l.Backlog
}

// change applies what may change of an open socket.
func (s *socket) change(l config.Listen) error {
	before := s.listen
	if l.Backlog != before.Backlog {
		if err := unix.Listen(s.fd, backlog(l)); err != nil {
			return fmt.Errorf("%s %s: set backlog to %d: %w", l.Network, l.Address, l.Backlog, err)
		}
		s.listen.Backlog = l.Backlog
	}
	if l.Network == "unix" && (l.Mode != before.Mode || l.User != before.User || l.Group != before.Group) {
		if !s.ownsPath() {
			return fmt.Errorf("%s %s: set mode and owner: the path is no longer this socket's", l.Network, l.Address)
		}
		if err := s.admit(l); err != nil {
			return fmt.Errorf("%s %s: %w", l.Network, l.Address, err)
		}
	}
	s.listen = l
	return nil
}

// close closes the socket for hupwatch. Generations that have it keep it.
func (s *socket) close() error {
	var err error
	if s.ownsPath() {
		err = os.Remove(s.listen.Address)
	}
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
	return err
}

// ownsPath reports whether a unix socket's path still leads to it.
func (s *socket) ownsPath() bool {
	if s.file == nil {
		return false
	}
	var now unix.Stat_t
	return unix.Lstat(s.listen.Address, &now) == nil && sameFile(*s.file, now)
}

// pathGone reports whether nothing is left where a unix socket's path was.
func (s *socket) pathGone() bool {
	var now unix.Stat_t
	return errors.Is(unix.Lstat(s.listen.Address, &now), unix.ENOENT)
}

// listenAgain undoes what other processes that have the socket can do to it: shut it
// down, which stops it for all of them, or shorten its backlog. It reports whether it
// undid a shutdown.
func (s *socket) listenAgain() (wasDown bool, err error) {
	if s.file != nil && shutDown(s.fd) {
		return false, fmt.Errorf("unix %s: a process has shut the socket down, and nobody can connect: reload the service, which opens it anew, or restart it", s.listen.Address)
	}
	listening, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil {
		err = unix.Listen(s.fd, backlog(s.listen))
	}
	if err != nil {
		return false, fmt.Errorf("%s %s: listen again: %w", s.listen.Network, s.listen.Address, err)
	}
	return listening == 0, nil
}

// explained adds the remedy if there is one.
func explained(err error, l config.Listen) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: stop whoever listens there (ss -ltnp names it; hupwatch restart, if it is this service with a socket of its own), or choose another address", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w: no interface has it", err)
	case errors.Is(err, unix.EACCES) && l.Network != "unix":
		return fmt.Errorf("%w: ports below 1024 need root or CAP_NET_BIND_SERVICE", err)
	case errors.Is(err, unix.ENOENT) && l.Network == "unix":
		return fmt.Errorf("%w: create its directory", err)
	}
	return err
}
