package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseEnvFile reads the variables of an env_file in the syntax of systemd's
// EnvironmentFile: NAME=value lines, comments that start with # or ;, 'quoted'
// and "quoted" values that may span lines, and \ at the end of a line to go on
// in the next. Nothing is expanded. The last of several lines with the same
// name counts.
//
// The problems have a line but no file. If there are any, there are no variables.
func ParseEnvFile(text []byte) (map[string]string, Problems) {
	s := &envScanner{
		text: strings.ReplaceAll(string(trimBOM(text)), "\r\n", "\n"),
		line: 1,
		vars: make(map[string]string),
	}

	for !s.end() {
		s.assignment()
	}
	if len(s.problems) > 0 {
		return nil, s.problems
	}
	return s.vars, nil
}

type envScanner struct {
	text     string
	at       int
	line     int
	vars     map[string]string
	problems Problems
}

// assignment reads one NAME=value, blank line or comment.
func (s *envScanner) assignment() {
	for !s.end() && isBlank(s.peek()) {
		s.next()
	}
	if s.end() {
		return
	}
	if s.peek() == '#' || s.peek() == ';' {
		s.rest()
		return
	}

	line := s.line
	name, ok := s.name()
	if !ok {
		s.problem(line, "", fmt.Errorf("expected NAME=value, not %q", clip(name)))
		return
	}
	value, err := s.value()
	if err != nil {
		s.problem(line, name, err)
		return
	}
	s.set(line, name, value)
}

// set keeps a variable if its name and value are sound.
func (s *envScanner) set(line int, name, value string) {
	if bare, ok := strings.CutPrefix(name, "export "); ok {
		s.problem(line, strings.TrimSpace(bare), errors.New("no shell reads this file: remove the word export"))
		return
	}
	if err := checkEnvName(name); err != nil {
		s.problem(line, clip(name), err)
		return
	}

	switch {
	case strings.ContainsRune(value, 0):
		s.problem(line, name, errNUL)
	case !utf8.ValidString(value):
		s.problem(line, name, errors.New("the value is not UTF-8"))
	default:
		s.vars[name] = value
	}
}

// name reads up to the =, or to the end of the line if there is none.
func (s *envScanner) name() (string, bool) {
	start := s.at
	for !s.end() && s.peek() != '=' && s.peek() != '\n' {
		s.next()
	}

	name := strings.TrimSpace(s.text[start:s.at])
	found := s.peek() == '='
	s.next()
	return name, found
}

// value reads what is behind the =. Blanks around it do not count, and quoted
// and bare pieces that follow each other are one value, as in a shell.
func (s *envScanner) value() (string, error) {
	var value []byte

	for {
		for !s.end() && s.peek() != '\n' && isBlank(s.peek()) {
			s.next()
		}

		switch c := s.peek(); {
		case s.end() || c == '\n':
			s.next()
			return string(value), nil
		case c == '\'' || c == '"':
			piece, err := s.quoted()
			if err != nil {
				return "", err
			}
			value = append(value, piece...)
		default:
			return string(append(value, s.bare()...)), nil
		}
	}
}

// bare reads the rest of the line, less the blanks at its end. From here on
// quotes are text.
func (s *envScanner) bare() []byte {
	var piece []byte
	kept := 0

	for !s.end() && s.peek() != '\n' {
		c := s.next()
		escaped := c == '\\'
		if escaped {
			if s.end() {
				break
			}
			if c = s.next(); c == '\n' {
				continue
			}
		}

		piece = append(piece, c)
		if escaped || !isBlank(c) {
			kept = len(piece)
		}
	}

	s.next()
	return piece[:kept]
}

// quoted reads up to the closing quote. Only double quotes have escapes, the same as
// in a shell.
func (s *envScanner) quoted() ([]byte, error) {
	var piece []byte
	quote := s.next()

	for !s.end() {
		c := s.next()
		if c == quote {
			return piece, nil
		}
		if c != '\\' || quote == '\'' || s.end() {
			piece = append(piece, c)
			continue
		}

		c = s.next()
		if !strings.ContainsRune("\"\\`$\n", rune(c)) {
			piece = append(piece, '\\')
		}
		if c != '\n' {
			piece = append(piece, c)
		}
	}
	return nil, fmt.Errorf("the value starts with a %c that is never closed", quote)
}

// rest skips the rest of the line.
func (s *envScanner) rest() {
	for !s.end() && s.next() != '\n' {
	}
}

func (s *envScanner) problem(line int, name string, err error) {
	s.problems = append(s.problems, Problem{Line: line, Key: name, Text: err.Error()})
}

func (s *envScanner) end() bool { return s.at >= len(s.text) }

// peek returns the next byte, 0 at the end.
func (s *envScanner) peek() byte {
	if s.end() {
		return 0
	}
	return s.text[s.at]
}

// next steps over the next byte and returns it, 0 at the end.
func (s *envScanner) next() byte {
	if s.end() {
		return 0
	}
	c := s.text[s.at]
	if c == '\n' {
		s.line++
	}
	s.at++
	return c
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
