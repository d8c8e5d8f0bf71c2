package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// largest is how large a configuration file may be.
const largest = 4 << 20

// source is one file of a configuration.
type source struct {
	// name is how messages name the file. dir is the absolute path of the directory
	// that its relative paths are below. real is the same for all paths of one file.
	name string
	dir  string
	real string
	rank int
	text []byte

	lines map[string]int
}

// locate finds its directory and its real path, once.
func (s *source) locate() error {
	if s.real != "" {
		return nil
	}
	abs, err := Absolute(s.name)
	if err != nil {
		return err
	}
	s.dir, s.real = DirOf(abs), abs
	if resolved, err := filepath.EvalSymlinks(abs); err == nil {
		s.real = resolved
	}
	return nil
}

// line returns the line of the key of that path, or else of the nearest key above it.
// It is 0 if the file could not be read.
func (s *source) line(path string) int {
	if s.text == nil {
		return 0
	}
	if s.lines == nil {
		s.lines = keyLines(s.text)
	}

	for path != "" {
		if n, ok := s.lines[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1
}

// place returns FILE:LINE of a key.
func (s *source) place(path string) string {
	return fmt.Sprintf("%s:%d", s.name, s.line(path))
}

// read reads the file and returns what is unsafe about it.
func (s *source) read() (unsafe []string, err error) {
	// Without O_NONBLOCK a FIFO would hang here until somebody writes to it.
	f, err := os.OpenFile(s.name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open it: %w", cause(err))
	}
	defer f.Close()

	// What is checked is what is read: the path may mean another file by now.
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("stat it: %w", cause(err))
	case info.IsDir():
		return nil, errors.New("this is a directory, not a file")
	case !info.Mode().IsRegular():
		return nil, errors.New("this is not a regular file: it is read again at every reload")
	}

	text, err := io.ReadAll(io.LimitReader(f, largest+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read it: %w", cause(err))
	case len(text) > largest:
		return nil, fmt.Errorf("the file is larger than %d MiB", largest>>20)
	}
	s.text = text
	return s.unsafe(info), nil
}

// unsafe says who else can change what hupwatch runs.
func (s *source) unsafe(info fs.FileInfo) []string {
	var found []string

	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		found = append(found, fmt.Sprintf("group or others may write to this file (mode %04o) and so choose what hupwatch runs: chmod go-w %s", mode, s.name))
	}
	euid := os.Geteuid()
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != euid {
		found = append(found, fmt.Sprintf("user %d owns this file and so chooses what hupwatch runs: chown %d %s", st.Uid, euid, s.name))
	}
	return found
}

// decode decodes the text as TOML. The line is where it is wrong.
func (s *source) decode() (values map[string]any, line int, err error) {
	if line := tooDeep(s.text); line > 0 {
		return nil, line, fmt.Errorf("brackets nest more than %d deep", deepest)
	}

	// The library panics if it finds a mistake of its own. That must not end a
	// hupwatch that was only asked to read its file again.
	defer func() {
		if r := recover(); r != nil {
			values, line, err = nil, 1, fmt.Errorf("decode it as TOML: %v", r)
		}
	}()

	_, err = toml.Decode(string(s.text), &values)
	if syntax, ok := errors.AsType[toml.ParseError](err); ok {
		return nil, syntaxLine(syntax), s.explain(syntax.Message)
	}
	if err != nil {
		return nil, 1, err
	}
	return own(values).(map[string]any), 0, nil //nolint:forcetypeassert // a map comes out as one
}

// own copies the strings of a value. Without that, each of them keeps the text of the
// whole file in memory as long as one service runs with it.
func own(v any) any {
	switch v := v.(type) {
	case string:
		return strings.Clone(v)
	case []any:
		for i := range v {
			v[i] = own(v[i])
		}
	case []map[string]any:
		for i := range v {
			v[i] = own(v[i]).(map[string]any) //nolint:forcetypeassert // likewise
		}
	case map[string]any:
		owned := make(map[string]any, len(v))
		for key, value := range v {
			owned[strings.Clone(key)] = own(value)
		}
		return owned
	}
	return v
}

// syntaxLine returns the line of a syntax error. For a header without its closing ],
// the library gives the line after it.
func syntaxLine(err toml.ParseError) int {
	line := err.Position.Line
	if strings.Contains(err.Message, `to end table name, but got '\n'`) {
		line--
	}
	return max(line, 1)
}

// explain words a syntax error like our own and adds the remedy.
func (s *source) explain(message string) error {
	message = strings.TrimSuffix(message, ".")
	if key, ok := strings.CutPrefix(message, "Key '"); ok {
		key, _, _ = strings.Cut(key, "'")
		return fmt.Errorf("%s is there twice, first on line %d: keep one", key, s.line(key))
	}

	// A word whose second letter is upper case is a name, and stays as it is.
	first, size := utf8.DecodeRuneInString(message)
	if second, _ := utf8.DecodeRuneInString(message[size:]); !unicode.IsUpper(second) {
		message = string(unicode.ToLower(first)) + message[size:]
	}

	for _, r := range syntaxRemedies {
		if strings.Contains(message, r.symptom) {
			return fmt.Errorf("%s: %s", message, r.remedy)
		}
	}
	return errors.New(message)
}

// syntaxRemedies say what to do about the usual mistakes in TOML.
var syntaxRemedies = []struct{ symptom, remedy string }{
	{"to end table name, but got ':'", "a section is written [services.NAME]"},
	{"to end table name, but got '\\n'", "the closing ] is missing"},
	{"to end table name, but got", "a part of a name with more than letters, digits, _ and - must be quoted"},
	{"but got ':'", "write key = value"},
	{"but got '='", `write "=" once, between key and value`},
	{"expected '.' or '=', but got", "write key = value"},
	{"leading zeroes", `put it in quotes, like "022"`},
	{"item to end with a newline", `put text, and numbers with a unit, in quotes, like "30s"`},
	{"strings cannot contain newlines", "the closing quote is missing"},
	{"expected value but found '\\n'", "the value is missing"},
	{"expected value but found '“'", `only straight quotes count, "like these"`},
	{"expected value but found", "put text in quotes"},
	{"array terminator", "elements of an array are separated by commas, and texts are quoted"},
	{"invalid escape", `write \\ for a backslash, or put the text in 'single quotes'`},
	{"inline table", "entries are separated by commas"},
	{"unexpected EOF", "the end of the file is missing something that was opened"},
}

// cause is the error without the path, which every message names already.
func cause(err error) error {
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		return of.Err
	}
	return err
}
