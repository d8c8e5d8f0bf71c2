package control

import (
	"encoding/json"
	"io"
)

// NewEncoder returns an encoder for values as they go over the wire: a line each, in
// which <, > and & are not escaped.
func NewEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}
