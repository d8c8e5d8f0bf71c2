package config

import (
	"bytes"
	"strconv"
	"strings"
)

// keyLines finds the line of every key of a TOML text: the library that decodes it
// does not give the lines. The result is by path, like services.web.listen[1].mode.
//
// It never fails: in a text that is not valid TOML it finds what it can. If a key is
// there twice, the first one counts.
func keyLines(text []byte) map[string]int {
	s := &lineScanner{
		text:   string(trimBOM(text)),
		line:   1,
		lines:  make(map[string]keyLine),
		arrays: make(map[string]int),
	}
	s.document()

	found := make(map[string]int, len(s.lines))
	for path, at := range s.lines {
		found[path] = at.line
	}
	return found
}

// deepest is how deep values may nest. The decoder recurses for each level, and
// a stack that overflows ends the whole program; nothing here nests beyond 3.
const deepest = 100

// tooDeep returns the line on which the values of a TOML text nest too deep, 0
// for none.
func tooDeep(text []byte) int {
	s := &lineScanner{text: string(text), line: 1}

	for open := 0; !s.end(); {
		switch s.peek() {
		case '"', '\'':
			s.stringValue()
			continue
		case '#':
			s.skipLine()
			continue
		case '[', '{':
			open++
		case ']', '}':
			open--
		}

		if open > deepest {
			return s.line
		}
		s.next()
	}
	return 0
}

// keyLine is the line of a key. A line on which the key is only implied, as a is by
// a.b, is replaced by the one on which it is named in full.
type keyLine struct {
	line    int
	implied bool
}

type lineScanner struct {
	text  string
	at    int
	line  int
	depth int
	lines map[string]keyLine
	// arrays counts the elements of each [[array]] so far.
	arrays map[string]int
}

// document scans a whole text: headers and the keys below them.
func (s *lineScanner) document() {
	table := ""

	for s.skipBlank(); !s.end(); s.skipBlank() {
		if s.peek() == '[' {
			table = s.header()
		} else {
			s.keyValue(table)
		}
		s.skipLine()
	}
}

// header scans [a.b] or [[a.b]] and returns the path of the table it opens.
func (s *lineScanner) header() string {
	line := s.line
	s.next()
	array := s.peek() == '['
	if array {
		s.next()
	}

	parts := s.key()
	if len(parts) == 0 {
		return ""
	}

	path := s.imply("", parts[:len(parts)-1], line)
	path = joinKey(path, parts[len(parts)-1])
	s.record(path, line, false)
	if !array {
		return path
	}

	s.arrays[path]++
	path = s.latest(path)
	s.record(path, line, false)
	return path
}

// keyValue scans key = value in the table of that path.
func (s *lineScanner) keyValue(table string) {
	line := s.line
	parts := s.key()
	if len(parts) == 0 {
		return
	}

	path := s.imply(table, parts[:len(parts)-1], line)
	path = joinKey(path, parts[len(parts)-1])
	s.record(path, line, false)

	if s.peek() == '=' {
		s.next()
		s.value(path)
	}
}

// imply records the keys that a dotted key or header passes through and returns
// the path of the last. A part that is an [[array]] stands for its last element.
func (s *lineScanner) imply(path string, parts []string, line int) string {
	for _, part := range parts {
		path = joinKey(path, part)
		s.record(path, line, true)
		path = s.latest(path)
	}
	return path
}

func (s *lineScanner) latest(path string) string {
	if n := s.arrays[path]; n > 0 {
		return joinIndex(path, n-1)
	}
	return path
}

func (s *lineScanner) record(path string, line int, implied bool) {
	if old, ok := s.lines[path]; ok && (implied || !old.implied) {
		return
	}
	s.lines[path] = keyLine{line: line, implied: implied}
}

// key scans a key, which may be dotted and quoted, and the blanks behind it.
func (s *lineScanner) key() []string {
	var parts []string

	for {
		s.skipSpace()
		part, ok := s.keyPart()
		if !ok {
			return parts
		}
		parts = append(parts, part)

		s.skipSpace()
		if s.peek() != '.' {
			return parts
		}
		s.next()
	}
}

func (s *lineScanner) keyPart() (string, bool) {
	switch s.peek() {
	case '"':
		s.next()
		return unescape(s.until('"', true)), true
	case '\'':
		s.next()
		return s.until('\'', false), true
	}

	start := s.at
	for !s.end() && isBareKeyByte(s.peek()) {
		s.next()
	}
	return s.text[start:s.at], s.at > start
}

// value scans the value of the key of that path.
func (s *lineScanner) value(path string) {
	s.skipSpace()
	switch s.peek() {
	case '"', '\'':
		s.stringValue()
	case '[', '{':
		if s.depth == deepest {
			s.skipLine()
			return
		}
		s.depth++
		if s.peek() == '[' {
			s.array(path)
		} else {
			s.inlineTable(path)
		}
		s.depth--
	default:
		s.word()
	}
}

func (s *lineScanner) array(path string) {
	s.next()
	for i := 0; ; {
		s.skipBlank()
		switch {
		case s.end():
			return
		case s.peek() == ']':
			s.next()
			return
		case s.peek() == ',' || s.peek() == '}':
			s.next()
		default:
			element := joinIndex(path, i)
			s.record(element, s.line, false)
			s.value(element)
			i++
		}
	}
}

func (s *lineScanner) inlineTable(path string) {
	s.next()
	for {
		s.skipBlank()
		if s.end() {
			return
		}
		if s.peek() == '}' {
			s.next()
			return
		}

		before := s.at
		s.keyValue(path)
		if s.at == before {
			s.next()
		}
	}
}

// word scans a number, a boolean or a date, up to what ends it.
func (s *lineScanner) word() {
	for !s.end() && !strings.ContainsRune(",]}#\n", rune(s.peek())) {
		s.next()
	}
}

func (s *lineScanner) stringValue() {
	quote := s.peek()
	fence := strings.Repeat(string(quote), 3)

	if !strings.HasPrefix(s.text[s.at:], fence) {
		s.next()
		s.until(quote, quote == '"')
		return
	}

	s.skip(3)
	for !s.end() {
		if strings.HasPrefix(s.text[s.at:], fence) {
			s.skip(3)
			// Up to two more quotes right there are the end of the content.
			for range 2 {
				if s.peek() == quote {
					s.next()
				}
			}
			return
		}
		if s.peek() == '\\' && quote == '"' {
			s.next()
		}
		s.next()
	}
}

// until returns the text up to the quote, or to the end of the line, and steps
// over the quote.
func (s *lineScanner) until(quote byte, escapes bool) string {
	start := s.at
	for !s.end() && s.peek() != '\n' {
		if s.peek() == quote {
			text := s.text[start:s.at]
			s.next()
			return text
		}
		if s.peek() == '\\' && escapes {
			s.next()
		}
		s.next()
	}
	return s.text[start:s.at]
}

func (s *lineScanner) end() bool { return s.at >= len(s.text) }

// peek returns the next byte, 0 at the end.
func (s *lineScanner) peek() byte {
	if s.end() {
		return 0
	}
	return s.text[s.at]
}

func (s *lineScanner) next() {
	if s.end() {
		return
	}
	if s.text[s.at] == '\n' {
		s.line++
	}
	s.at++
}

func (s *lineScanner) skip(n int) {
	for range n {
		s.next()
	}
}

func (s *lineScanner) skipSpace() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.next()
	}
}

func (s *lineScanner) skipLine() {
	for !s.end() && s.peek() != '\n' {
		s.next()
	}
}

// skipBlank skips white space, line ends and comments.
func (s *lineScanner) skipBlank() {
	for !s.end() {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.next()
		case '#':
			s.skipLine()
		default:
			return
		}
	}
}

// escapes are the escapes of one letter that TOML knows.
const escapes = "b\bt\tn\nf\fr\re\x1b\"\"\\\\"

// unescape resolves the escapes of a quoted key.
func unescape(s string) string {
	var b strings.Builder

	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++

		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		if digits > 0 && i+digits < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32); err == nil {
				b.WriteRune(rune(n))
				i += digits
				continue
			}
		}
		for e := 0; e < len(escapes); e += 2 {
			if escapes[e] == s[i] {
				b.WriteByte(escapes[e+1])
			}
		}
	}
	return b.String()
}

// trimBOM removes the byte order mark that some editors put first, just as the
// decoder does.
func trimBOM(text []byte) []byte {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return text[len(mark):]
		}
	}
	return text
}
