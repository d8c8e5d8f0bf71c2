package server

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is what stands behind the question mark.
type query url.Values

// readQuery refuses parameters that the endpoint does not know: otherwise a typing
// error would pass unnoticed.
func readQuery(raw string, known ...string) (query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, usage("invalid query: %v", err)
	}
	for name := range values {
		if !slices.Contains(known, name) {
			return nil, usage("%q is no parameter of this: %s", clip(name), whatIs(known))
		}
	}
	return query(values), nil
}

func whatIs(known []string) string {
	if len(known) == 0 {
		return "leave it out, there are none"
	}
	return "there are " + strings.Join(known, ", ")
}

// is reads a parameter that is 1 or 0.
func (q query) is(name string) (bool, error) {
	text := url.Values(q).Get(name)
	if text == "" {
		return false, nil
	}
	wished, err := strconv.ParseBool(text)
	if err != nil {
		return false, usage("%s: %q must be 1 or 0", name, clip(text))
	}
	return wished, nil
}

// number reads a number from 0 to most.
func (q query) number(name string, without, most int) (int, error) {
	text := url.Values(q).Get(name)
	if text == "" {
		return without, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, usage("%s: %q must be a number from 0 to %d", name, clip(text), most)
	}
	return n, nil
}
