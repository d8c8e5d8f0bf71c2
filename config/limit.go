package config

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

const limitForms = `expected a number, "infinity" or "soft:hard"`

// parseLimit decodes one entry of limits.
func parseLimit(name string, v any) (Limit, error) {
	resource, ok := resources[name]
	if !ok {
		return Limit{}, unknownLimit(name)
	}

	soft, hard, err := limitRange(v)
	if err != nil {
		return Limit{}, err
	}
	if soft > hard {
		return Limit{}, fmt.Errorf("the soft limit %v is above the hard limit %v", v.(string)[:strings.Index(v.(string), ":")], hard)
	}
	return Limit{Name: name, Resource: resource, Soft: soft, Hard: hard}, nil
}

func limitRange(v any) (soft, hard uint64, err error) {
	s, ok := v.(string)
	if !ok {
		soft, err = limitValue(v)
		return soft, soft, err
	}

	first, second, pair := strings.Cut(s, ":")
	if soft, err = limitValue(first); err != nil || !pair {
		return soft, soft, err
	}
	hard, err = limitValue(second)
	return soft, hard, err
}

func limitValue(v any) (uint64, error) {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return 0, fmt.Errorf(`a limit cannot be negative: "infinity" is the word for no limit`)
		}
		return uint64(v), nil
	case string:
		if v == "infinity" || v == "unlimited" {
			return math.MaxUint64, nil
		}
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("not a limit: %q: %s", v, limitForms)
		}
		return n, nil
	}
	return 0, fmt.Errorf("%s, not %s", limitForms, typeName(v))
}

// unknownLimit says whether the name is wrong, or right on another system.
func unknownLimit(name string) error {
	if slices.Contains(limitNames, name) {
		return fmt.Errorf("%s has no limit %s", runtime.GOOS, name)
	}

	plain := strings.ToLower(name)
	for _, prefix := range []string{"rlimit", "limit", "_", "-"} {
		plain = strings.TrimPrefix(plain, prefix)
	}
	if near := nearest(plain, limitNames); near != "" {
		return fmt.Errorf("unknown limit, did you mean %s?", near)
	}
	return fmt.Errorf("unknown limit: there are %s", strings.Join(slices.Sorted(maps.Keys(resources)), ", "))
}

// limitNames are the limits of Linux; other systems have some of them.
var limitNames = []string{
	"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice",
	"nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
}

// decodeLimits adds to the limits of [defaults].
func decodeLimits(t *table, k *Key, v any) {
	entries, ok := v.(map[string]any)
	if !ok {
		t.mistyped(k, v)
		return
	}

	limits := slices.DeleteFunc(slices.Clone(t.service.Limits), func(l Limit) bool {
		_, own := entries[l.Name]
		return own
	})
	for name, v := range entries {
		l, err := parseLimit(name, v)
		if err != nil {
			t.problem(joinKey(k.Name, name), err)
			continue
		}
		limits = append(limits, l)
	}
	slices.SortFunc(limits, func(a, b Limit) int { return strings.Compare(a.Name, b.Name) })
	t.service.Limits = limits
}
