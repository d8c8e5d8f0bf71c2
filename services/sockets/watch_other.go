//go:build !linux

package sockets

import (
	"errors"
	"fmt"
	"sync/atomic"

	"hupwatch/services/process/poller"
)

// Watch tells the guards of all services what happens to their paths. This system
// has none.
type Watch struct{}

type sight struct{ touched atomic.Bool }

// NewWatch returns an error: guards look at their paths only when they are asked to.
func NewWatch(*poller.Poller) (*Watch, error) {
	return nil, fmt.Errorf("watch paths: %w", errors.ErrUnsupported)
}

// Close ends the watching.
func (w *Watch) Close() {}

func (w *Watch) see(string, func()) (*sight, error) { return nil, errors.ErrUnsupported }

func (w *Watch) await(string, func()) (*sight, error) { return nil, errors.ErrUnsupported }

func (s *sight) end() {}

func (w *Watch) hangUp(int, func()) (end func(), err error) { return nil, errors.ErrUnsupported }

// See returns an error: the system has none.
func (w *Watch) See(string, func()) (end func(), err error) { return nil, errors.ErrUnsupported }
