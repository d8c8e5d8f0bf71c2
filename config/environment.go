package config

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

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

// plainValue returns the text that was meant by a value without quotes.
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
		if !isPassedName(strings.NewReplacer("*", "_", "?", "_").Replace(s)) {
			t.problem(at, fmt.Errorf("not the name of an environment variable, nor a pattern like AWS_*: %q", clip(s)))
			return
		}
		patterns = append(patterns, s)
	})
	t.service.UnsetEnvironment = patterns
}

// checkEnvName says what is wrong with the name of an environment variable.
func checkEnvName(name string) error {
	switch {
	case !isPassedName(name):
		return errors.New("not the name of an environment variable: letters, digits, _ and ., neither a digit nor a dot first")
	case isReserved(name):
		return errors.New("hupwatch sets this variable itself: remove it")
	}
	return nil
}

// isReserved reports whether a variable is part of how hupwatch talks to its
// services. Other names with LISTEN_ in front, such as LISTEN_PORT, are common
// in programs and mean nothing to it.
func isReserved(name string) bool {
	switch name {
	case "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES", "NOTIFY_SOCKET":
		return true
	}
	return strings.HasPrefix(name, "HUPWATCH_")
}

func isEnvName(name string) bool {
	if name == "" || '0' <= name[0] && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if !isEnvNameByte(name[i]) {
			return false
		}
	}
	return true
}

// isPassedName reports whether a program may get a variable of that name. Some have names
// that no shell could use, like spring.datasource.url.
func isPassedName(name string) bool {
	return isEnvName(strings.ReplaceAll(name, ".", "_")) && name[0] != '.'
}

func isEnvNameByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
