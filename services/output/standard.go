package output

import (
	"bytes"
	"io"
)

// atOnce is what a pipe takes in one piece, whoever else writes to it.
const atOnce = 4096

// standard is hupwatch's own standard output or error. Its log goes there too,
// so whole lines are written with one call.
type standard struct{ io.Writer }

func (s standard) write(text []byte) (int, error) { return s.Write(text[:lines(text, atOnce)]) }

func (s standard) open() error { return nil }

func (s standard) close() {}

// lines returns how many bytes of the text are whole lines and no more than
// most, but one line at least.
func lines(text []byte, most int) int {
	if len(text) <= most {
		return len(text)
	}
	if i := bytes.LastIndexByte(text[:most], '\n'); i >= 0 {
		return i + 1
	}
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}
