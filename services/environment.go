package services

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
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

// environment makes the environment of a release, lowest layer first.
func (r Resolver) environment(c *config.Service, dir string, a account) ([]string, error) {
	env := make(map[string]string)
	for _, entry := range r.Env {
		name, value, ok := strings.Cut(entry, "=")
		if ok && name != "" && !aboutHupwatch(name) && !matchesAny(c.UnsetEnvironment, name) {
			env[name] = value
		}
	}
	if c.Output != config.OutputInherit {
		delete(env, "JOURNAL_STREAM") // it names hupwatch's own output
	}
	maps.Copy(env, a.variables)
	env["PWD"] = dir
	for _, file := range c.EnvFiles {
		if err := readEnvFile(env, file); err != nil {
			return nil, err
		}
	}
	expanded := make(map[string]string, len(c.Environment))
	for name, value := range c.Environment {
		text, err := config.Expand(value, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if err != nil {
			return nil, fmt.Errorf("environment.%s: %w", name, err)
		}
		expanded[name] = text
	}
	maps.Copy(env, expanded)
	env["HUPWATCH_SERVICE"] = c.Name
	return r.list(env), nil
}

// list makes a sorted list of an environment. What is inherited unchanged is
// the same string in every service's.
func (r Resolver) list(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, entry := range r.Env {
		name, inherited, _ := strings.Cut(entry, "=")
		if value, found := env[name]; found && value == inherited {
			list = append(list, entry)
			delete(env, name)
		}
	}
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
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

// generationEnv is what differs from one generation of a release to the next.
func generationEnv(c *config.Service, generation, instance int, mark string) []string {
	env := []string{
		"HUPWATCH_GENERATION=" + strconv.Itoa(generation),
		"HUPWATCH_INSTANCE=" + strconv.Itoa(instance),
	}
	if mark != "" {
		env = append(env, "HUPWATCH_MARK="+mark+"/"+c.Name+"/"+strconv.Itoa(generation))
	}
	if len(c.Listen) > 0 {
		names := make([]string, len(c.Listen))
		for i, l := range c.Listen {
			names[i] = l.Name
		}
		env = append(env, "LISTEN_FDS="+strconv.Itoa(len(c.Listen)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
	return env
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
