package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

func decodeCommand(t *table, k *Key, v any) {
	argv, split, ok := t.argv(k, v)
	if !ok {
		return
	}
	if script, ok := shellScript(argv); ok {
		t.lintScript(k.Name, argv[0], script)
	}
	t.lintArgv(k.Name, argv, split)
	t.service.Command = argv
}

// hook decodes a command that runs beside the service. An empty array is none.
func hook(to func(*table) *[]string) decoder {
	return func(t *table, k *Key, v any) {
		if elements, ok := list(v); ok && len(elements) == 0 {
			*to(t) = nil
			return
		}
		if argv, split, ok := t.argv(k, v); ok {
			t.lintArgv(k.Name, argv, split)
			*to(t) = argv
		}
	}
}

// argv decodes an argument vector. It is written as an array, or as a line to split.
func (t *table) argv(k *Key, v any) (argv []string, split, ok bool) {
	line, split := v.(string)
	if split {
		w, err := splitCommand(line)
		if err != nil {
			t.problem(k.Name, fmt.Errorf("split %q: %w", clip(line), err))
			return nil, split, false
		}
		argv = w.all
		if _, isScript := shellScript(argv); w.literals && !isScript {
			t.warn(k.Name, "in single quotes ${...} stays as it is, as in a shell: put it in double quotes to have it expanded")
		}
	} else {
		before := len(t.found)
		t.stringElements(k, v, func(_, s string) { argv = append(argv, s) })
		if len(t.found) > before {
			return nil, split, false
		}
	}

	i, err := checkCommand(argv)
	if err == nil {
		return argv, split, true
	}
	at := k.Name
	if errors.Is(err, errNoCommand) {
		err = fmt.Errorf("%w, like %s = %s", err, k.Name, k.Example())
	}
	if i >= 0 && !split {
		at = joinIndex(at, i)
	}
	t.problem(at, err)
	return nil, split, false
}

var errNUL = errors.New("a NUL byte cannot be passed to a program")

var errNoCommand = errors.New("empty: say what to run")

// checkCommand says what is wrong with an argument vector. The index is that of
// the argument, -1 if it is about them all.
func checkCommand(argv []string) (int, error) {
	if len(argv) == 0 {
		return -1, errNoCommand
	}
	if argv[0] == "" {
		return 0, errors.New("the program to run is an empty string")
	}

	for i, arg := range argv {
		if strings.ContainsRune(arg, 0) {
			return i, errNUL
		}
		if err := checkExpansion(arg); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// lintArgv warns of parts of a command that rarely do what was meant.
func (t *table) lintArgv(at string, argv []string, split bool) {
	if _, ok := shellScript(argv); ok {
		return // its dollars and operators are the shell's
	}

	if name, _, ok := strings.Cut(argv[0], "="); ok && isEnvName(name) {
		t.warn(at, fmt.Sprintf("%q is taken for the program to run: a variable belongs in environment", argv[0]))
	}
	if len(argv) == 1 && strings.ContainsAny(argv[0], " \t") && !split {
		t.warn(at, fmt.Sprintf("%q is taken for one name of a program: give its arguments as elements of their own, or leave out the brackets", argv[0]))
	}
	if split {
		if i := slices.IndexFunc(argv, isShellOperator); i >= 0 {
			t.warn(at, fmt.Sprintf(`no shell runs: %q is passed to the program as it is; where a shell is needed, write ["sh", "-c", "exec ..."]`, argv[i]))
		}
	}
	for _, arg := range argv {
		if name := bareVariable(arg); name != "" {
			t.warn(at, bareVariableText(name))
			return
		}
	}
}

// bareVariableText is the warning about a variable without braces.
func bareVariableText(name string) string {
	return fmt.Sprintf("$%s stays as it is: write ${%s} for the variable, $$%s if the dollar is meant", name, name, name)
}

func isShellOperator(arg string) bool {
	return slices.Contains([]string{"&&", "||", "|", "&", ";", ">", ">>", "<", "2>", "2>&1", "&>"}, arg) ||
		strings.HasPrefix(arg, "$(") || strings.HasPrefix(arg, "`")
}

// shellScript returns the script of a command that is sh -c SCRIPT.
func shellScript(argv []string) (string, bool) {
	if len(argv) == 0 || !slices.Contains([]string{"sh", "bash", "dash", "ash", "ksh", "zsh"}, filepath.Base(argv[0])) {
		return "", false
	}

	for i, arg := range argv[1:] {
		switch {
		case !strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "--"):
			return "", false
		case strings.HasSuffix(arg, "c") && i+2 < len(argv):
			return argv[i+2], true
		}
	}
	return "", false
}

// lintScript warns of a shell that stays between hupwatch and the program: the
// stop signal would end the shell only.
func (t *table) lintScript(at, shell, script string) {
	words := strings.FieldsFunc(script, func(r rune) bool { return strings.ContainsRune(" \t\n;&|(){}", r) })
	if !slices.Contains(words, "exec") {
		t.warn(at, filepath.Base(shell)+" stays the main process and gets the stop signal instead of the program: put exec before the program, or leave the shell out")
	}
}
