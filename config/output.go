package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Output is where the standard output or error of a service goes: one of the
// words below, or the absolute path of a file.
type Output string

// The outputs that are no file.
const (
	OutputPrefix  Output = "prefix"  // hupwatch's own, each line with the name of the service in front
	OutputInherit Output = "inherit" // hupwatch's own, as it is
	OutputNull    Output = "null"    // nowhere
)

// File returns the path, if the output is a file.
func (o Output) File() (path string, ok bool) {
	return string(o), strings.HasPrefix(string(o), "/")
}

// leastOutputSize catches a size without its unit, which would rotate at every line.
const leastOutputSize = 4 << 10

func output(to func(*table) *Output) decoder {
	words := word(to, []Output{OutputPrefix, OutputInherit, OutputNull}, wordHints{
		instead: map[string]string{
			"/dev/null": "null", "none": "null", "discard": "null",
			"/dev/stdout": "inherit", "/dev/stderr": "inherit", "/dev/tty": "inherit",
			"stdout": "inherit", "stderr": "inherit", "console": "inherit", "journal": "inherit", "syslog": "inherit",
		},
	})
	return func(t *table, k *Key, v any) {
		s, _ := v.(string)
		switch {
		case strings.HasPrefix(s, "/dev/"), !strings.ContainsAny(s, "/$."):
			words(t, k, v)
		case !strings.ContainsAny(s, "/$"):
			t.problem(k.Name, fmt.Errorf(`a file is written with a slash: did you mean %q?`, "./"+s))
		case strings.HasSuffix(s, "/"):
			t.problem(k.Name, fmt.Errorf("%q is a directory: name the file in it", clip(s)))
		default:
			if p, ok := t.resolve(k.Name, s); ok {
				*to(t) = Output(p)
			}
		}
	}
}

func decodeOutputMaxSize(t *table, k *Key, v any) {
	n, err := size(v)
	if err == nil && n > 0 && n < leastOutputSize {
		err = fmt.Errorf("%d bytes are too few: %d at least, %s", n, leastOutputSize, sizeForms)
	}
	if err != nil {
		t.problem(k.Name, err)
		return
	}
	t.service.OutputMaxSize = n
}

// rotation is how an output file is rotated, and which service says so.
type rotation struct {
	maxSize int64
	backups int
	service string
	table   *table
	key     string
}

// claimOutputs reports a file for which another service sets another rotation.
func (t *table) claimOutputs() {
	for _, o := range []struct {
		key string
		to  Output
	}{{"output", t.service.Output}, {"stderr", t.service.Stderr}} {
		path, ok := o.to.File()
		if !ok || !t.sound("output_max_size") || !t.sound("output_backups") {
			continue
		}
		path = filepath.Clean(path)
		mine := rotation{t.service.OutputMaxSize, t.service.OutputBackups, t.service.Name, t, o.key}
		other, taken := t.rotations[path]
		if !taken {
			t.rotations[path] = mine
			continue
		}
		if err := mine.differs(other, path); err != nil {
			t.problem(mine.place(), err)
			return
		}
	}
}

func (r rotation) differs(other rotation, path string) error {
	var key string
	switch {
	case r.maxSize != other.maxSize:
		key = "output_max_size"
	case r.backups != other.backups:
		key = "output_backups"
	default:
		return nil
	}
	return errors.New("service " + other.service + " writes to " + path + " too, with another " + key + ", at " +
		other.table.source.place(other.table.absolute(other.place())) + ": give both the same")
}

// place is the key of the service's own section that says most about it.
func (r rotation) place() string {
	return r.table.place("output_max_size", "output_backups", r.key)
}
