// Package probe makes one attempt to see whether something is ready: by a
// request over HTTP, or by a connection. The caller decides when to try again.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"hupwatch/config"
)

// Accepted is asked, once a connection is made, which process has its other end. The
// last bytes of a request are held back until Accepted returns, so that the other end
// cannot have closed the connection yet. An error means that the answer does not count.
type Accepted func(ctx context.Context, conn net.Conn) error

// Check makes one attempt, and returns nil if it succeeded. It takes no longer
// than the target's Timeout, and ends at once with the error of ctx when that is
// done. If accepted is given and returns an error, the attempt fails: a request is
// completed all the same, and the error is returned in an *UnansweredError with the
// answer. Other errors are sentences that come after the name of the target.
func Check(ctx context.Context, t Target, accepted Accepted) error {
	limited, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()

	if accepted == nil {
		accepted = func(context.Context, net.Conn) error { return nil }
	}
	err := t.attempt(limited, accepted)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// UnansweredError says that an answer does not count.
type UnansweredError struct {
	// Err is what Accepted returned, Answer what was answered; empty for nothing.
	Err    error
	Answer string
}

func (u *UnansweredError) Error() string {
	if u.Answer == "" {
		return u.Err.Error()
	}
	return u.Err.Error() + ": " + u.Answer
}

func (u *UnansweredError) Unwrap() error { return u.Err }

// LateError says what did not come in time: a later attempt may well succeed.
type LateError struct{ text string }

func (l *LateError) Error() string { return l.text }

func (t Target) attempt(ctx context.Context, accepted Accepted) error {
	switch t.Kind {
	case config.ReadyHTTP:
		return t.get(ctx, accepted)
	case config.ReadyTCP, config.ReadyUnix:
		conn, err := t.connect(ctx, string(t.Kind), t.Address)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := accepted(ctx, conn); err != nil {
			return &UnansweredError{Err: err}
		}
		return nil
	default:
		return fmt.Errorf("%q is nothing to connect to", t.Kind)
	}
}

// connect returns a connection, made in time.
func (t Target) connect(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: -1} // which spares it some system calls
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, t.cause(err, "no connection")
	}
	return conn, nil
}

// cause is what a person wants to know of a network error. Late names what did not
// come in time.
func (t Target) cause(err error, late string) error {
	errno, known := errors.AsType[syscall.Errno](err)
	timeout, slow := errors.AsType[net.Error](err)
	lookup, unnamed := errors.AsType[*net.DNSError](err)
	switch {
	case known && errno == syscall.EAGAIN: // of a unix socket; it counts as a timeout too
		return &LateError{"its queue of connections is full"}
	case known && errno == syscall.EINVAL && t.socket() != "":
		return errors.New("the path is too long for a socket")
	case slow && timeout.Timeout():
		return &LateError{fmt.Sprintf("%s within %v", late, t.Timeout)}
	case known:
		return errno
	case unnamed:
		return fmt.Errorf("look up %s: %s", lookup.Name, lookup.Err)
	default:
		return err
	}
}
