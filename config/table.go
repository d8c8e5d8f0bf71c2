package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// table is one table of a file while it is decoded. Which of the targets is
// set depends on its section.
type table struct {
	*loader
	source  *source
	section string
	path    string
	// given are the values as they stand in the file. failed has those of their keys
	// that have a problem: no other check relies on them.
	given  map[string]any
	failed map[string]bool

	daemon  *Daemon
	service *Service
	listen  *Listen
	ready   *Ready
}

// decode takes over every value of the table.
func (t *table) decode() {
	known := t.keys[t.section]

	for _, name := range slices.Sorted(maps.Keys(t.given)) {
		k, ok := known[name]
		switch {
		case !ok:
			t.problem(joinKey("", name), t.unknownKey(name, t.given[name]))
		case !k.Supported():
			t.problem(name, errNotYet)
		default:
			k.decode(t, k, t.given[name])
		}
	}
}

var errNotYet = errors.New("not supported yet")

// problem reports what is wrong with a key of the table, or with a part of its
// value: at is relative to the table.
func (t *table) problem(at string, err error) {
	if t.failed == nil {
		t.failed = make(map[string]bool)
	}
	name := at
	if i := strings.IndexAny(at, ".["); i > 0 {
		name = at[:i]
	}
	t.failed[name] = true

	t.found = append(t.found, finding{source: t.source, path: t.absolute(at), text: err.Error()})
}

// place returns the first of these keys that stands in the table itself, empty for
// none: the values may come from [defaults].
func (t *table) place(keys ...string) string {
	for _, key := range keys {
		if _, own := t.given[key]; own {
			return key
		}
	}
	return ""
}

func (t *table) warn(at, text string) {
	t.found = append(t.found, finding{source: t.source, path: t.absolute(at), text: text, warn: true})
}

func (t *table) absolute(at string) string {
	switch {
	case t.path == "":
		return at
	case at == "":
		return t.path
	}
	return t.path + "." + at
}

// mistyped reports a value of the wrong type.
func (t *table) mistyped(k *Key, v any) {
	article := "a "
	if strings.ContainsRune("aeiou", rune(k.Type[0])) {
		article = "an "
	}
	t.problem(k.Name, fmt.Errorf("expected %s%s, like %s = %s, not %s", article, k.Type, k.Name, k.Example(), typeName(v)))
}

// typeName says what a value is. It shows short values in full.
func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("the string %q", clip(v))
	case int64:
		return fmt.Sprintf("the integer %d", v)
	case float64:
		return fmt.Sprintf("the float %v", v)
	case bool:
		return fmt.Sprintf("the boolean %v", v)
	case map[string]any:
		return "a table"
	case []any, []map[string]any:
		return "an array"
	}
	return "a date"
}

// list returns the elements of an array, whichever way it was written.
func list(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case []map[string]any:
		elements := make([]any, len(v))
		for i, e := range v {
			elements[i] = e
		}
		return elements, true
	}
	return nil, false
}
