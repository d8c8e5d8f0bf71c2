package rollout

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hupwatch/config"
)

// ParseNames reads one name a line. Blank lines and what follows a # do not
// count, nor does a carriage return at the end of a line.
func ParseNames(text []byte) ([]string, error) {
	var names []string
	for i, line := range bytes.Split(text, []byte("\n")) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		name := string(bytes.TrimSpace(line))
		switch {
		case name == "":
		case config.CheckServiceName(name) != nil:
			return nil, fmt.Errorf("line %d: %q is no name of a service; write one name a line", i+1, strings.ToValidUTF8(name, "?"))
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("it names no service; write their names into it, one a line")
	}
	return names, nil
}
