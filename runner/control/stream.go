package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The kinds that only answers to a POST have: of a line about a generation that
// drains or is incoming, and of the last line.
const (
	KindDraining = "draining"
	KindIncoming = "incoming"
	KindResult   = "result"
)

// Events are read one after the other, as they happen.
type Events struct {
	stream[Event]
	request bool // it answers one, and ends with its result
	ended   bool
}

// Next returns the next event, or io.EOF after the last one. If the answer to a
// request is cut off before its result, the error is io.ErrUnexpectedEOF.
func (e *Events) Next() (Event, error) {
	if e.ended {
		return Event{}, io.EOF
	}
	event, err := e.next()
	switch {
	case err == nil:
		e.ended = e.request && event.Kind == KindResult
	case e.request:
		err = lost(err)
	}
	return event, err
}

// Lines are read one after the other, as they are written.
type Lines struct{ stream[Line] }

// Next returns the next line, or io.EOF after the last one.
func (l *Lines) Next() (Line, error) { return l.next() }

// stream is an answer in lines of JSON.
type stream[T any] struct {
	body    io.Closer
	decoder *json.Decoder
}

func newStream[T any](body io.ReadCloser) stream[T] {
	return stream[T]{body: body, decoder: json.NewDecoder(body)}
}

// Close ends the reading; what was asked for goes on.
func (s *stream[T]) Close() error { return s.body.Close() }

func (s *stream[T]) next() (T, error) {
	var v T
	err := s.decoder.Decode(&v)
	return v, err
}

// lost is the error for an answer that ended too early. If its reader ended it, err
// stays as it is.
func lost(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
}
