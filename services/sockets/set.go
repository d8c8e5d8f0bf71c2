// Package sockets opens the listening sockets that services inherit, and keeps
// them for as long as a service is configured with them.
package sockets

import "hupwatch/config"

// Set is the listening sockets that one service owns. Its zero value is empty.
// It is not safe for concurrent use.
type Set struct{}

// Open opens those of listens that are not open yet and returns the descriptors
// of all, in their order. The set keeps them. On an error nothing has changed.
func (s *Set) Open(listens []config.Listen) ([]int, error) { return nil, nil }

// Keep closes the sockets that are not in listens, and makes mode, owner and
// backlog of the others as listens says. The path of a closed unix socket is
// removed if it is still the socket's own.
func (s *Set) Keep(listens []config.Listen) error { return nil }

// Close closes every socket.
func (s *Set) Close() error { return s.Keep(nil) }
