package output

import (
	"bytes"
	"iter"
	"unicode/utf8"
)

// longest is the longest line that is kept in one piece.
const longest = 8 << 10

// piece is a line, or a part of one that is too long.
type piece struct {
	text []byte
	// first and last say whether the line begins and ends with it. The last
	// piece of a line that was cut may be empty.
	first, last bool
}

// blank reports whether it is no more than the end of a line that was cut.
func (p piece) blank() bool { return !p.first && p.last && len(p.line()) == 0 }

// line is the text without what ends lines on other systems.
func (p piece) line() []byte {
	if p.last {
		return bytes.TrimSuffix(p.text, []byte("\r"))
	}
	return p.text
}

// splitter cuts what is read into lines. It takes no memory between lines.
type splitter struct {
	rest []byte // of a line whose end was not read yet
	cut  bool   // something of that line was given out
}

// split gives out the lines that end in the text. The pieces are valid until the
// next one; all of them have to be taken.
func (s *splitter) split(text []byte) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for {
			i := bytes.IndexByte(text, '\n')
			if i < 0 {
				break
			}
			line := text[:i]
			if len(s.rest) > 0 {
				s.rest = append(s.rest, line...)
				line = s.rest
			}
			line = s.pieces(line, yield)
			yield(piece{line, !s.cut, true})
			s.rest, s.cut = s.rest[:0], false
			text = text[i+1:]
		}
		s.rest = append(s.rest, text...)
		rest := s.pieces(s.rest, yield)
		s.rest = s.rest[:copy(s.rest, rest)]
		if len(s.rest) == 0 {
			s.rest = nil
		}
	}
}

// pieces gives out pieces of a line that is too long, until one piece is left. It
// returns that.
func (s *splitter) pieces(line []byte, yield func(piece) bool) []byte {
	for len(line) > longest {
		at := longest
		for at > longest-utf8.UTFMax+1 && !utf8.RuneStart(line[at]) {
			at--
		}
		yield(piece{line[:at], !s.cut, false})
		s.cut = true
		line = line[at:]
	}
	return line
}

// flush gives out what there is of a line that will not go on any more, as if it
// ended here.
func (s *splitter) flush() (p piece, ok bool) {
	p = piece{s.rest, !s.cut, true}
	s.rest, s.cut = nil, false
	return p, len(p.text) > 0
}
