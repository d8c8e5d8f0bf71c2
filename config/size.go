package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const sizeForms = `write it like "50MB", "1GiB" or 1000000 (bytes), or "infinity"`

// sizeUnits are in bytes, by their names in lower case.
var sizeUnits = map[string]int64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// size decodes a number of bytes: a bare number, or a string with a unit. 0 is no
// limit, and is also written "infinity".
func size(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return 0, fmt.Errorf("a size cannot be negative: %s", sizeForms)
		}
		return v, nil
	case string:
		return parseSize(v)
	}
	return 0, fmt.Errorf("expected a size, not %s: %s", typeName(v), sizeForms)
}

func parseSize(s string) (int64, error) {
	if s == "infinity" {
		return 0, nil
	}
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("not a size: %q: %s", clip(s), sizeForms)
	}
	name := s[len(digits):]
	unit, ok := sizeUnits[strings.ToLower(name)]
	switch {
	case !ok && len(name) == 1 && strings.Contains("kmgt", strings.ToLower(name)):
		up := strings.ToUpper(name)
		return 0, fmt.Errorf(`%q may be thousands or 1024s: write "%d%sB" or "%d%siB"`, s, n, up, n, up)
	case !ok:
		return 0, fmt.Errorf("unknown unit in size %q: %s", clip(s), sizeForms)
	case int64(n) > math.MaxInt64/unit:
		return 0, fmt.Errorf("%q is more than any disk holds: %s", clip(s), sizeForms)
	}
	return int64(n) * unit, nil
}
