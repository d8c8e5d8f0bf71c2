package config

import (
	"fmt"
	"strings"
)

// Expand replaces ${X} by what lookup says of X, ${X:-default} by the default
// if X is unset or empty, and $$ by a dollar. Any other dollar stays as it is. It is
// an error if X is unset and has no default.
func Expand(s string, lookup func(string) (string, bool)) (string, error) {
	if !strings.Contains(s, "$") {
		return s, nil
	}

	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}

		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			s = after[1:]
		case strings.HasPrefix(after, "{"):
			inner, rest, closed := strings.Cut(after[1:], "}")
			if !closed {
				return "", fmt.Errorf("${%s has no closing }: a dollar that is meant as one is $$", clip(after[1:]))
			}
			value, err := variable(inner, lookup)
			if err != nil {
				return "", err
			}
			b.WriteString(value)
			s = rest
		default:
			b.WriteByte('$')
			s = after
		}
	}
}

// variable returns the value of what stands between the braces.
func variable(inner string, lookup func(string) (string, bool)) (string, error) {
	name, fallback, optional := strings.Cut(inner, ":-")
	if !isEnvName(name) {
		return "", fmt.Errorf("${%s} is not a variable: there are ${NAME}, ${NAME:-default} and $$ for a dollar", clip(inner))
	}
	if strings.Contains(fallback, "${") {
		return "", fmt.Errorf("${%s}: a default cannot contain another ${", clip(inner))
	}

	value, set := lookup(name)
	switch {
	case optional && value == "":
		return strings.ReplaceAll(fallback, "$$", "$"), nil
	case !set:
		return "", fmt.Errorf("${%s} is not set in the environment: set it, or give it a default, ${%s:-...}", name, name)
	}
	return value, nil
}

// checkExpansion says what is wrong with the ${X} in s, whatever their values.
func checkExpansion(s string) error {
	_, err := Expand(s, func(string) (string, bool) { return "", true })
	return err
}

// bareVariable returns the first $NAME in s: it stays as it is, which is rarely
// what was meant.
func bareVariable(s string) string {
	for {
		_, after, found := strings.Cut(s, "$")
		if !found {
			return ""
		}
		if strings.HasPrefix(after, "$") {
			s = after[1:]
			continue
		}

		end := 0
		for end < len(after) && isEnvNameByte(after[end]) {
			end++
		}
		if name := after[:end]; isEnvName(name) {
			return name
		}
		s = after
	}
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
