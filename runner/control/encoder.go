package control

import (
	"encoding/json"
	"io"
)

// NewEncoder returns what encodes values as they go over the wire: a line each,
// whose <, > and & stay what they are.
func NewEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}
