package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
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

// spanRule says which durations a key takes beyond the usual.
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

// wordHints are about words that are not among those a key takes: which will
// be one day, and which are another tool's word for one.
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

// expand replaces variables by those of hupwatch's own environment.
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

func decodeInclude(t *table, k *Key, v any) {
	t.stringElements(k, v, func(at, s string) {
		p, ok := t.expand(at, s)
		if !ok {
			return
		}
		if err := checkPath(p); err != nil {
			t.problem(at, err)
			return
		}
		if _, err := filepath.Match(p, ""); err != nil {
			t.problem(at, fmt.Errorf("the pattern %q has a [ that is not closed or a \\ at its end", clip(p)))
			return
		}
		t.includes = append(t.includes, include{at: at, pattern: p})
	})
}

func decodeRuntimeDir(t *table, k *Key, v any) {
	path(func(t *table) *string { return &t.daemon.RuntimeDir })(t, k, v)

	switch dir := filepath.Clean(t.daemon.RuntimeDir); dir {
	case "/", "/run", "/var/run", "/tmp", "/var/tmp", "/var", "/etc", "/dev", "/home", "/root":
		t.problem(k.Name, fmt.Errorf("%s belongs to others too: hupwatch needs a directory of its own, like %s", dir, filepath.Join(dir, "hupwatch")))
	}
}

func decodeCommand(t *table, k *Key, v any) {
	var argv []string

	line, split := v.(string)
	if split {
		var err error
		if argv, err = splitCommand(line); err != nil {
			t.problem(k.Name, err)
			return
		}
	} else {
		before := len(t.found)
		t.stringElements(k, v, func(_, s string) { argv = append(argv, s) })
		if len(t.found) > before {
			return
		}
	}

	if i, err := checkCommand(argv); err != nil {
		at := k.Name
		if i >= 0 && !split {
			at = joinIndex(at, i)
		}
		t.problem(at, err)
		return
	}
	for _, text := range lintCommand(argv, split) {
		t.warn(k.Name, text)
	}
	t.service.Command = argv
}

// decodeEnvironment adds to the variables of [defaults].
func decodeEnvironment(t *table, k *Key, v any) {
	vars, ok := v.(map[string]any)
	if !ok {
		t.mistyped(k, v)
		return
	}

	merged := make(map[string]string, len(vars)+len(t.service.Environment))
	maps.Copy(merged, t.service.Environment)
	for name, v := range vars {
		at := joinKey(k.Name, name)
		value, err := environmentValue(name, v)
		if err != nil {
			t.problem(at, err)
			continue
		}
		if bare := bareVariable(value); bare != "" {
			t.warn(at, bareVariableText(bare))
		}
		merged[name] = value
	}
	t.service.Environment = merged
}

func environmentValue(name string, v any) (string, error) {
	if err := checkEnvName(name); err != nil {
		return "", err
	}

	s, ok := v.(string)
	switch {
	case !ok:
		return "", fmt.Errorf("expected a string, like %s = %q, not %s", name, plainValue(v), typeName(v))
	case strings.ContainsRune(s, 0):
		return "", errNUL
	}
	return s, checkExpansion(s)
}

// plainValue returns what somebody meant who forgot the quotes.
func plainValue(v any) string {
	switch v.(type) {
	case int64, float64, bool:
		return fmt.Sprint(v)
	}
	return "value"
}

func decodeEnvFiles(t *table, k *Key, v any) {
	var files []EnvFile
	t.stringElements(k, v, func(at, s string) {
		s, optional := strings.CutPrefix(s, "-")
		if p, ok := t.resolve(at, s); ok {
			files = append(files, EnvFile{Path: p, Optional: optional})
		}
	})
	t.service.EnvFiles = files
}

func decodeUnset(t *table, k *Key, v any) {
	var patterns []string
	t.stringElements(k, v, func(at, s string) {
		if !isEnvName(strings.NewReplacer("*", "_", "?", "_").Replace(s)) {
			t.problem(at, fmt.Errorf("not the name of an environment variable, nor a pattern like AWS_*: %q", clip(s)))
			return
		}
		patterns = append(patterns, s)
	})
	t.service.UnsetEnvironment = patterns
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

func decodeOOMScoreAdj(t *table, k *Key, v any) {
	const most = 1000

	score := new(int)
	number(func(*table) *int { return score }, -most, most)(t, k, v)
	t.service.OOMScoreAdj = score
}

func decodeStopSignal(t *table, k *Key, v any) {
	sig, err := stopSignal(v)
	if err != nil {
		t.problem(k.Name, err)
		return
	}
	t.service.StopSignal = sig
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

func decodeOutput(t *table, k *Key, v any) {
	if s, ok := v.(string); ok && strings.Contains(s, "/") && s != "/dev/null" {
		t.problem(k.Name, fmt.Errorf(`a file as output is %w: there are "inherit" and "null"`, errNotYet))
		return
	}
	word(func(t *table) *Output { return &t.service.Output }, []Output{OutputInherit, OutputNull}, wordHints{
		later: []string{"prefix"},
		instead: map[string]string{
			"/dev/null": "null", "none": "null", "discard": "null",
			"stdout": "inherit", "stderr": "inherit", "console": "inherit", "journal": "inherit", "syslog": "inherit",
		},
	})(t, k, v)
}

func decodeListen(t *table, k *Key, v any) {
	elements, ok := list(v)
	if !ok {
		t.mistyped(k, v)
		return
	}

	// An address with a problem keeps its place, so that the others keep theirs.
	listeners := make([]Listen, len(elements))
	for i, e := range elements {
		listeners[i] = t.listener(joinIndex(k.Name, i), e)
	}
	t.service.Listen = listeners
}

func (t *table) listener(at string, v any) Listen {
	l := t.base.listen
	values, isTable := v.(map[string]any)
	if s, ok := v.(string); ok {
		t.address(at, s, &l)
		return l
	}
	if !isTable {
		t.problem(at, fmt.Errorf(`expected an address, like "tcp://127.0.0.1:8000", or a table, like { address = "unix:///run/web.sock" }, not %s`, typeName(v)))
		return l
	}

	sub := &table{loader: t.loader, source: t.source, section: sectionListen, path: t.absolute(at), given: values, listen: &l}
	sub.decode()
	if _, ok := values["address"]; !ok {
		sub.problem("", errors.New(`no address: write { address = "tcp://127.0.0.1:8000" }`))
	}
	sub.onlyUnix()
	return l
}

// onlyUnix reports what a listener on a port cannot have.
func (t *table) onlyUnix() {
	if t.listen.Network == "unix" || t.listen.Network == "" {
		return
	}
	for _, name := range []string{"mode", "user", "group"} {
		if _, ok := t.given[name]; ok {
			t.problem(name, errors.New("only a unix socket has permissions: leave it out"))
		}
	}
}

func decodeAddress(t *table, k *Key, v any) {
	s, ok := v.(string)
	if !ok {
		t.mistyped(k, v)
		return
	}
	t.address(k.Name, s, t.listen)
}

func (t *table) address(at, s string, l *Listen) {
	s, ok := t.expand(at, s)
	if !ok {
		return
	}
	network, address, err := parseAddress(s, t.source.dir)
	if err != nil {
		t.problem(at, err)
		return
	}
	l.Network, l.Address = network, address
}

func decodeListenName(t *table, k *Key, v any) {
	s, ok := v.(string)
	if !ok {
		t.mistyped(k, v)
		return
	}
	if err := checkListenName(s); err != nil {
		t.problem(k.Name, err)
		return
	}
	t.listen.Name = s
}
