package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"hupwatch/runner/control"
)

// answer is what one request gets: a refusal, a value, or lines.
type answer struct {
	w        http.ResponseWriter
	conn     *http.ResponseController
	patience time.Duration // with a reader that stalls
	begun    bool
	line     bytes.Buffer
	encoder  *json.Encoder
}

func newAnswer(w http.ResponseWriter, patience time.Duration) *answer {
	a := &answer{w: w, conn: http.NewResponseController(w), patience: patience}
	a.encoder = control.NewEncoder(&a.line)
	return a
}

// refusal is an error with an HTTP status of its own.
type refusal struct {
	why    *control.Error
	status int
}

// Error implements error.
func (r *refusal) Error() string { return r.why.Message }

// Unwrap is for errors.As.
func (r *refusal) Unwrap() error { return r.why }

// refuse answers with an error. If the answer has begun, only a broken connection can
// say that it is incomplete.
func (a *answer) refuse(err error) {
	if a.begun {
		panic(http.ErrAbortHandler) // which net/http takes for just that
	}
	body, ok := errors.AsType[*control.Error](err)
	if !ok {
		body = &control.Error{Reason: control.ReasonFailed, Message: err.Error()}
	}
	status := body.Status()
	if r, ok := errors.AsType[*refusal](err); ok {
		status = r.status
	}
	_ = a.value(status, body)
}

// last makes this answer the last one on its connection.
func (a *answer) last() { a.w.Header().Set("Connection", "close") }

// value answers with one value.
func (a *answer) value(status int, v any) error {
	if err := a.encoder.Encode(v); err != nil {
		return err
	}
	a.encoded(status, a.line.Bytes())
	return nil
}

// encoded answers with a value that is JSON already.
func (a *answer) encoded(status int, body []byte) {
	a.begun = true
	a.w.Header().Set("Content-Type", "application/json")
	a.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	a.extend()
	a.w.WriteHeader(status)
	_, _ = a.w.Write(body) // if that fails, the client has gone
}

// put adds a line. An error means that the reader has gone, or stalls.
func (a *answer) put(v any) error {
	if !a.begun {
		a.begin()
	}
	a.line.Reset()
	if err := a.encoder.Encode(v); err != nil {
		return err
	}
	a.extend()
	_, err := a.w.Write(a.line.Bytes())
	return err
}

// flush sends the lines that were put.
func (a *answer) flush() error {
	if !a.begun {
		a.begin()
	}
	a.extend()
	return a.conn.Flush()
}

func (a *answer) begin() {
	a.begun = true
	a.w.Header().Set("Content-Type", "application/x-ndjson")
}

// extend gives the reader its full time again.
func (a *answer) extend() {
	_ = a.conn.SetWriteDeadline(time.Now().Add(a.patience)) // a writer without deadlines, as in a test, never stalls
}

// unhurried lifts the limit on how long reading the request may take: from now
// on, reading is only to notice that the client goes away.
func (a *answer) unhurried() { _ = a.conn.SetReadDeadline(time.Time{}) }
