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
func (p piece) blank() bool { return !p.first && len(p.line()) == 0 }

// line is the text without what ends lines on other systems.
func (p piece) line() []byte { return bytes.TrimSuffix(p.text, []byte("\r")) }

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

// flush gives out what there is of a line that will not go on any more. It has no end.
func (s *splitter) flush() (p piece, ok bool) {
	p = piece{s.rest, !s.cut, false}
	s.rest, s.cut = nil, false
	return p, len(p.text) > 0
}

// show gives out what there is of a line that may still go on: somebody may wait for it.
// The first bytes of a character, and what may be the end of the line, are kept back.
func (s *splitter) show() (p piece, ok bool) {
	n := len(s.rest)
	for i := 1; i <= min(n, utf8.UTFMax); i++ {
		if last := s.rest[n-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				n -= i
			}
			break
		}
	}
	if n > 0 && s.rest[n-1] == '\r' {
		n--
	}
	if n == 0 {
		return piece{}, false
	}
	p = piece{s.rest[:n:n], !s.cut, false}
	s.rest, s.cut = bytes.Clone(s.rest[n:]), true
	return p, true
}
