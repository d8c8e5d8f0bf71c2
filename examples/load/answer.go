package load

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Kind is the kind of worker that asked.
type Kind string

// The kinds of worker, as the package comment describes them.
const (
	Fresh     Kind = "fresh"
	KeepAlive Kind = "keepalive"
	Slow      Kind = "slow"
)

// Class is what became of a request.
type Class string

// The classes of answers. All but OK are failures.
const (
	OK       Class = "ok"
	Refused  Class = "refused"
	NotFound Class = "enoent" // there was no such unix socket
	Reset    Class = "reset"
	Cut      Class = "cut" // the connection ended before the answer did
	TimedOut Class = "timeout"
	Status   Class = "status" // a whole answer, but not a 200
	Other    Class = "other"  // see Answer.Err
)

// Failed are all classes of failures, in the order they are reported in.
var Failed = []Class{Refused, NotFound, Reset, Cut, TimedOut, Status, Other}

// Answer is one request and what became of it.
type Answer struct {
	Kind  Kind
	Class Class
	// Begun is when the request was begun, before its connect if it needed one.
	Begun time.Time
	Ended time.Time
	// Reused reports whether the connection had carried a request before.
	Reused bool
	// Body is the body without the white space around it: it says what answered.
	// What a proxy says of itself in X-Served-By comes before it, with a semicolon.
	Body string
	// Err is the cause of a failure.
	Err error
}

// Latency is how long the answer took, the connect included.
func (a Answer) Latency() time.Duration {
	return a.Ended.Sub(a.Begun)
}

// errLength is the error of an answer that ends with its connection: it might not be
// whole, and the client could not know.
var errLength = errors.New("answer has neither a length nor chunks")

// errStatus is a whole answer with a status other than 200.
var errStatus = errors.New("unexpected status")

// classify finds the class of a request that ended with err.
func classify(err error) Class {
	var timeout net.Error
	switch {
	case err == nil:
		return OK
	case errors.Is(err, errStatus):
		return Status
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EAGAIN):
		return Refused // EAGAIN is a unix socket's full backlog
	case errors.Is(err, os.ErrNotExist):
		return NotFound
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return Reset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Cut
	case errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	}
	return Other
}
