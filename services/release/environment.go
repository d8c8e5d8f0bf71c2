package release

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"hupwatch/config"
)

// notInherited are the variables that are about hupwatch itself, told to it by
// what started it. A child that saw them would take hupwatch's sockets, speak
// to its supervisor in its name, or ignore its own sockets (LISTEN_PIDFDID).
var notInherited = []string{
	"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
	"FDSTORE", "MAINPID", "MAINPIDFDID", "INVOCATION_ID", "SYSTEMD_EXEC_PID", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
	"CREDENTIALS_DIRECTORY",
}

func aboutHupwatch(name string) bool {
	return strings.HasPrefix(name, "HUPWATCH_") || slices.Contains(notInherited, name)
}

// Inheritable returns the entries of an environment that are not about hupwatch
// itself.
func Inheritable(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, ok := strings.Cut(entry, "=")
		return !ok || name == "" || aboutHupwatch(name)
	})
}

// inherited is what a service gets of hupwatch's own environment. Services that get
// all of it share one list.
func (r Resolver) inherited(c *config.Service) []string {
	kept := func(entry string) bool {
		name, _, ok := strings.Cut(entry, "=")
		switch {
		case !ok, name == "", aboutHupwatch(name), matchesAny(c.UnsetEnvironment, name):
			return false
		case name == "JOURNAL_STREAM": // it names hupwatch's own output
			return c.Output == config.OutputInherit
		}
		return true
	}
	if !slices.ContainsFunc(r.Env, func(entry string) bool { return !kept(entry) }) {
		return r.Env
	}
	var list []string
	for _, entry := range r.Env {
		if kept(entry) {
			list = append(list, entry)
		}
	}
	return list
}

// environment makes the part of a release's environment that is its own, from the
// lowest layer up.
func (r Resolver) environment(c *config.Service, rel *Release, a identity) ([]string, error) {
	env := make(map[string]string)
	maps.Copy(env, a.variables)
	env["PWD"] = rel.Dir
	for _, file := range c.EnvFiles {
		if err := readEnvFile(env, file); err != nil {
			return nil, err
		}
	}
	inherited := lookupIn(rel.Inherited)
	below := func(name string) (string, bool) {
		if value, ok := env[name]; ok {
			return value, true
		}
		if differs(c, name) {
			return blank + name + blank, true
		}
		return inherited(name)
	}
	expanded := make(map[string]string, len(c.Environment))
	for name, value := range c.Environment {
		text, err := config.Expand(value, below)
		if err != nil {
			return nil, fmt.Errorf("environment.%s: %w", name, err)
		}
		expanded[name] = text
	}
	maps.Copy(env, expanded)
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list, nil
}

// Environ is the whole environment of a generation of the release. The generation has
// these variables besides. No name is in it twice: programs would differ in which one
// they take.
func (rel *Release) Environ(generation []string) []string {
	layers := [][]string{generation, rel.Env, rel.Inherited}
	all := make([]string, 0, len(generation)+len(rel.Env)+len(rel.Inherited))
	for i, layer := range layers {
		above := lookupIn(layers[:i]...)
		for _, entry := range layer {
			name, _, _ := strings.Cut(entry, "=")
			if _, ok := above(name); !ok {
				all = append(all, fill(entry, generation))
			}
		}
	}
	return all
}

// blank stands before and after the name of a variable in the texts of a release, if
// the value differs between generations. No text of the environment can contain it.
const blank = "\x00"

// differs reports whether a variable has another value for each generation.
func differs(c *config.Service, name string) bool {
	switch name {
	case "HUPWATCH_SERVICE", "HUPWATCH_GENERATION", "HUPWATCH_INSTANCE":
		return true
	}
	return name == config.BindVariable && c.Publish != ""
}

// fill puts the values of a generation into the blanks of a text.
func fill(text string, generation []string) string {
	if !strings.Contains(text, blank) {
		return text
	}
	value := lookupIn(generation)
	parts := strings.Split(text, blank)
	for i := 1; i < len(parts); i += 2 {
		parts[i], _ = value(parts[i])
	}
	return strings.Join(parts, "")
}

func readEnvFile(env map[string]string, file config.EnvFile) error {
	text, err := os.ReadFile(file.Path)
	if errors.Is(err, fs.ErrNotExist) && file.Optional {
		return nil
	}
	if err != nil {
		return fmt.Errorf("env_file %s: %w", file.Path, plain(err))
	}
	values, errs := config.ParseEnvFile(text)
	if len(errs) > 0 {
		for i := range errs {
			errs[i].File = file.Path
		}
		return fmt.Errorf("env_file: %s", strings.ReplaceAll(errs.Error(), "\n", "; "))
	}
	maps.Copy(env, values)
	return nil
}

func lookupIn(layers ...[]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, layer := range layers {
			for _, entry := range layer {
				if n, value, _ := strings.Cut(entry, "="); n == name {
					return value, true
				}
			}
		}
		return "", false
	}
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}
