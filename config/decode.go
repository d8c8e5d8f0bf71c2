package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

type decoder = func(t *table, k *Key, v any)

func boolean(to func(*table) *bool) decoder {
	return func(t *table, k *Key, v any) {
		b, ok := v.(bool)
		if !ok {
			t.mistyped(k, v)
			return
		}
		*to(t) = b
	}
}

func number(to func(*table) *int, least, most int64) decoder {
	return func(t *table, k *Key, v any) {
		n, ok := v.(int64)
		switch {
		case !ok:
			t.mistyped(k, v)
		case n < least:
			t.problem(k.Name, fmt.Errorf("%d is too small: %d at least", n, least))
		case n > most:
			t.problem(k.Name, fmt.Errorf("%d is too large: %d at most", n, most))
		default:
			*to(t) = int(n)
		}
	}
}

// spanRule says how the durations that a key takes differ from the usual.
type spanRule int

const (
	endless  spanRule = 1 << iota // "infinity" too
	positive                      // no 0
)

func span(to func(*table) *time.Duration, rule spanRule) decoder {
	return func(t *table, k *Key, v any) {
		d, err := duration(v)
		switch {
		case err != nil:
			t.problem(k.Name, err)
		case d == Infinity && rule&endless == 0:
			t.problem(k.Name, fmt.Errorf("infinity makes no sense here: %s", durationForms))
		case d == 0 && rule&positive != 0:
			t.problem(k.Name, fmt.Errorf("0 makes no sense here: write a duration like %s", k.Example()))
		default:
			*to(t) = d
		}
	}
}

// wordHints are about words that a key does not take: later are those that it will
// take one day, instead maps words of other tools to ours.
type wordHints struct {
	later   []string
	instead map[string]string
}

func word[T ~string](to func(*table) *T, words []T, hints wordHints) decoder {
	var plain []string
	for _, w := range words {
		plain = append(plain, string(w))
	}

	return func(t *table, k *Key, v any) {
		s, ok := v.(string)
		if b, isBool := v.(bool); isBool {
			s = strconv.FormatBool(b)
			_, ok = hints.instead[s]
		}
		if !ok {
			t.mistyped(k, v)
			return
		}
		if !slices.Contains(plain, s) {
			t.problem(k.Name, unknownWord(s, plain, hints))
			return
		}
		*to(t) = T(s)
	}
}

func unknownWord(s string, words []string, hints wordHints) error {
	if slices.Contains(hints.later, s) {
		return fmt.Errorf("%q is %w", s, errNotYet)
	}

	near := hints.instead[strings.ToLower(s)]
	if near == "" {
		near = nearest(s, words)
	}
	if near != "" {
		return fmt.Errorf("unknown value %q, did you mean %q?", s, near)
	}

	if len(words) == 1 {
		return fmt.Errorf("unknown value %q: expected %q", clip(s), words[0])
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	return fmt.Errorf("unknown value %q: expected %s or %s", clip(s), strings.Join(quoted[:last], ", "), quoted[last])
}

func account(to func(*table) *string) decoder {
	return func(t *table, k *Key, v any) {
		s, ok := v.(string)
		if !ok {
			t.mistyped(k, v)
			return
		}
		if err := checkAccount(s); err != nil {
			t.problem(k.Name, err)
			return
		}
		*to(t) = s
	}
}

func octal(to func(*table) *int) decoder {
	return func(t *table, k *Key, v any) {
		s, ok := v.(string)
		if !ok {
			t.mistyped(k, v)
			return
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 16)
		switch {
		case err != nil:
			t.problem(k.Name, fmt.Errorf("not an octal number: %q: write it like %s", clip(s), k.Example()))
		case n > 0o777:
			t.problem(k.Name, fmt.Errorf("%q is more than 777: set-uid, set-gid and sticky bits make no sense here", s))
		default:
			*to(t) = int(n)
		}
	}
}

func path(to func(*table) *string) decoder {
	return func(t *table, k *Key, v any) {
		s, ok := v.(string)
		if !ok {
			t.mistyped(k, v)
			return
		}
		if p, ok := t.resolve(k.Name, s); ok {
			*to(t) = p
		}
	}
}

// perGeneration decodes a string whose variables are expanded for each
// generation. Parse gets it as it is written.
func perGeneration(to func(*table) *string, parse func(s, dir string) (string, error)) decoder {
	return func(t *table, k *Key, v any) {
		s, ok := v.(string)
		if !ok {
			t.mistyped(k, v)
			return
		}
		if name := bareVariable(s); name != "" {
			t.warn(k.Name, bareVariableText(name))
		}
		err := checkExpansion(s)
		if err == nil {
			s, err = parse(s, t.source.dir)
		}
		if err != nil {
			t.problem(k.Name, err)
			return
		}
		*to(t) = s
	}
}

// resolve expands the variables of a path and makes it absolute.
func (t *table) resolve(at, s string) (string, bool) {
	p, ok := t.expand(at, s)
	if !ok {
		return "", false
	}
	if err := checkPath(p); err != nil {
		t.problem(at, err)
		return "", false
	}
	return joinPath(t.source.dir, p), true
}

// expand replaces variables by their values in hupwatch's own environment.
func (t *table) expand(at, s string) (string, bool) {
	if name := bareVariable(s); name != "" {
		t.warn(at, bareVariableText(name))
	}
	expanded, err := Expand(s, t.env)
	if err != nil {
		t.problem(at, err)
		return "", false
	}
	return expanded, true
}

// stringElements calls do for each element of an array of strings.
func (t *table) stringElements(k *Key, v any, do func(at, s string)) {
	elements, ok := list(v)
	if !ok {
		t.mistyped(k, v)
		return
	}
	for i, e := range elements {
		at := joinIndex(k.Name, i)
		s, ok := e.(string)
		if !ok {
			t.problem(at, fmt.Errorf("expected a string, not %s: put it in quotes", typeName(e)))
			continue
		}
		do(at, s)
	}
}

func decodeOOMScoreAdj(t *table, k *Key, v any) {
	const most = 1000

	score := new(int)
	number(func(*table) *int { return score }, -most, most)(t, k, v)
	t.service.OOMScoreAdj = score
}

func decodeExitCodes(t *table, k *Key, v any) {
	const most = 255

	elements, ok := list(v)
	if !ok {
		t.mistyped(k, v)
		return
	}
	codes := make([]int, 0, len(elements))
	for i, e := range elements {
		code, ok := e.(int64)
		if !ok || code < 0 || code > most {
			t.problem(joinIndex(k.Name, i), fmt.Errorf("not an exit code: expected 0 to %d, not %s", most, typeName(e)))
			continue
		}
		codes = append(codes, int(code))
	}
	t.service.SuccessExitCodes = codes
}
