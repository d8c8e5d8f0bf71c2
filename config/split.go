package config

import (
	"errors"
	"strings"
)

// splitCommand splits a command line as a POSIX shell does, without running one: XCU 2.2
// (Quoting) and the comments of 2.3. What only a shell could do stays as it is, so that
// an address with a & in it needs no quotes. A dollar that is quoted is a dollar; any
// other begins a variable as everywhere in the file.
func splitCommand(line string) (*words, error) {
	w := &words{rest: line}
	for w.rest != "" {
		if err := w.next(); err != nil {
			return nil, err
		}
	}
	w.end()
	return w, nil
}

// words are those of a line, as far as it has been read.
type words struct {
	rest string
	all  []string
	word strings.Builder
	in   bool // there is a word, though it may be empty
	// literals is set if single quotes had what would begin a variable.
	literals bool
}

func (w *words) next() error {
	c := w.rest[0]
	w.rest = w.rest[1:]
	switch c {
	case ' ', '\t', '\n':
		w.end()
		return nil
	case '\r': // of a file with the line ends of Windows
		if strings.HasPrefix(w.rest, "\n") {
			w.end()
			return nil
		}
	case '#':
		if !w.in {
			_, w.rest, _ = strings.Cut(w.rest, "\n")
			return nil
		}
	case '\\':
		return w.escaped()
	case '\'':
		return w.single()
	case '"':
		return w.double()
	}
	w.add(c)
	return nil
}

func (w *words) add(c byte) {
	w.word.WriteByte(c)
	w.in = true
}

// literal adds a byte that means nothing but itself.
func (w *words) literal(c byte) {
	if c == '$' {
		w.add(c) // two of them are one
	}
	w.add(c)
}

func (w *words) end() {
	if w.in {
		w.all = append(w.all, w.word.String())
	}
	w.word.Reset()
	w.in = false
}

// escaped reads what follows a backslash outside quotes.
func (w *words) escaped() error {
	if w.rest == "" {
		return errors.New("the line ends in a backslash")
	}
	if w.rest[0] != '\n' { // else the line goes on
		w.literal(w.rest[0])
	}
	w.rest = w.rest[1:]
	return nil
}

func (w *words) single() error {
	text, rest, closed := strings.Cut(w.rest, "'")
	if !closed {
		return errors.New("a ' is not closed")
	}
	w.in, w.rest = true, rest
	w.literals = w.literals || strings.Contains(text, "${")
	for i := range len(text) {
		w.literal(text[i])
	}
	return nil
}

// double reads what follows a ". A backslash there is one unless it stands before a
// character that would mean something.
func (w *words) double() error {
	w.in = true
	for w.rest != "" {
		c := w.rest[0]
		w.rest = w.rest[1:]
		switch {
		case c == '"':
			return nil
		case c != '\\' || w.rest == "" || !strings.ContainsRune("$`\"\\\n", rune(w.rest[0])):
			w.add(c)
		default:
			if w.rest[0] != '\n' {
				w.literal(w.rest[0])
			}
			w.rest = w.rest[1:]
		}
	}
	return errors.New(`a " is not closed`)
}
