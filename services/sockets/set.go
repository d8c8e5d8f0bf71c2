// Package sockets opens the listening sockets that services inherit, keeps them
// for as long as a service is configured with them, and publishes those that
// services open themselves.
//
// The inherited ones are plain descriptors from the first to the last moment:
// net.Listener and os.File would take O_NONBLOCK off a socket that a running
// generation has too, and that generation would break.
package sockets

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"hupwatch/config"
)

// Set is the listening sockets that one service owns. Its zero value is empty.
// It is not safe for concurrent use.
type Set struct {
	open map[key]*socket
}

// key is what makes a listener the same one, whatever else of it changes.
type key struct{ network, address string }

func keyOf(l config.Listen) key { return key{l.Network, l.Address} }

// Open opens those of listens that are not open yet and returns the descriptors
// of all, in their order. The set keeps them. A unix socket whose path somebody
// removed, or that somebody shut down, is opened anew. On an error nothing has
// changed.
func (s *Set) Open(listens []config.Listen) ([]int, error) {
	fresh := make(map[key]*socket)
	fds := make([]int, 0, len(listens))
	for _, l := range listens {
		found, err := s.find(l, fresh)
		if err != nil {
			for _, f := range fresh {
				f.close()
			}
			return nil, err
		}
		fds = append(fds, found.fd)
	}

	if s.open == nil {
		s.open = make(map[key]*socket)
	}
	for k := range fresh {
		if old := s.open[k]; old != nil { // a generation that has it serves it to its end
			unix.Close(old.fd)
		}
	}
	maps.Copy(s.open, fresh)
	return fds, nil
}

// find returns the socket for l: the one that is open, or a new one, which it adds
// to fresh.
func (s *Set) find(l config.Listen, fresh map[key]*socket) (*socket, error) {
	k := keyOf(l)
	if found := s.open[k]; found != nil && !s.lost(found) {
		_, err := found.listenAgain()
		return found, err
	}
	if found := fresh[k]; found != nil {
		return found, nil
	}
	opened, err := open(l)
	if err != nil {
		return nil, err
	}
	fresh[k] = opened
	return opened, nil
}

// lost reports whether nobody can connect to a unix socket any more: somebody shut it
// down, which is for good, or its path is gone and lost cannot put it back.
func (s *Set) lost(found *socket) bool {
	switch {
	case found.file == nil:
		return false
	case shutDown(found.fd):
		return true
	case !found.pathGone():
		return false
	}
	h, err := holdSocket(found.listen.Address, s, found)
	if err != nil {
		return true
	}
	defer h.close()
	_, err = h.repair()
	return err != nil
}

// Keep closes the sockets that are not in listens, and makes mode, owner and
// backlog of the others as listens says. The path of a closed unix socket is
// removed if it is still the socket's own.
func (s *Set) Keep(listens []config.Listen) error {
	wanted := make(map[key]config.Listen, len(listens))
	for _, l := range listens {
		wanted[keyOf(l)] = l
	}
	var errs []error
	for k, open := range s.open {
		l, keep := wanted[k]
		if !keep {
			errs = append(errs, open.close())
			delete(s.open, k)
			continue
		}
		errs = append(errs, open.change(l))
	}
	return errors.Join(errs...)
}

// ShutDown ends the listening on the TCP sockets that are not in listens, for every
// process that has them, so that their addresses are free at once: a child that is being
// forked for another service has a copy of every descriptor until some time after its
// exec. It is for sockets that nobody serves any more; Keep is to close them.
func (s *Set) ShutDown(listens []config.Listen) {
	for k, open := range s.open {
		if open.file == nil && !slices.ContainsFunc(listens, func(l config.Listen) bool { return keyOf(l) == k }) {
			_ = unix.Shutdown(open.fd, unix.SHUT_RDWR)
		}
	}
}

// sockets returns those that are open, in the order of their addresses.
func (s *Set) sockets() []*socket {
	return slices.SortedFunc(maps.Values(s.open), func(a, b *socket) int {
		return strings.Compare(a.listen.Address, b.listen.Address)
	})
}

// Descriptors returns the descriptors of the sockets for listens, in their order; -1
// for one that is not open. They stay the set's.
func (s *Set) Descriptors(listens []config.Listen) []int {
	fds := make([]int, len(listens))
	for i, l := range listens {
		fds[i] = -1
		if open := s.open[keyOf(l)]; open != nil {
			fds[i] = open.fd
		}
	}
	return fds
}

// Close closes every socket.
func (s *Set) Close() error { return s.Keep(nil) }

// Empty reports whether the service owns no sockets.
func (s *Set) Empty() bool { return len(s.open) == 0 }
