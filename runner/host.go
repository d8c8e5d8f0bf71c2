package runner

import (
	"fmt"
	"os"
	"path/filepath"

	"hupwatch/config"
	"hupwatch/services"
	"hupwatch/services/process"
)

// Prepare makes of this process what services can be started from: one that
// blocks and ignores no signal and hands down no descriptor by accident. It is
// called before anything else and may execute hupwatch anew.
func Prepare() error {
	if _, err := process.CleanSignals(); err != nil {
		return fmt.Errorf("clean signals: %w", err)
	}
	if err := process.CloseOnExec(); err != nil {
		return fmt.Errorf("close inherited descriptors: %w", err)
	}
	return nil
}

// HostFacts makes the release of every service, as a reload would, and warns of
// what this host lacks: a user, a directory, a binary, an env file.
func HostFacts(c *config.Config) config.Problems {
	resolver := services.Resolver{Env: os.Environ(), Dir: logicalDir()}
	var warnings config.Problems
	warn := func(key, text string) {
		warnings = append(warnings, config.Problem{File: c.File, Key: key, Text: text, Warning: true})
	}
	for _, s := range c.Services {
		key := "services." + s.Name
		if _, err := resolver.Resolve(s); err != nil {
			warn(key, err.Error())
		}
		if text := outputFact(s.Output); text != "" {
			warn(key+".output", text)
		}
		if text := outputFact(s.Stderr); text != "" && s.Stderr != s.Output {
			warn(key+".stderr", text)
		}
		for i, l := range s.Listen {
			if text := socketFact(l.Address); text != "" && l.Network == "unix" {
				warn(fmt.Sprintf("%s.listen[%d]", key, i), text)
			}
		}
		if text := socketFact(s.Publish); text != "" && s.Publish != "" {
			warn(key+".publish", text)
		}
	}
	return warnings
}

// socketFact says why a unix socket cannot be made at a path.
func socketFact(path string) string {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Sprintf("the directory of the socket: %v; make it, or the service does not start", err)
	case !info.IsDir():
		return fmt.Sprintf("%s is not a directory: the service does not start", dir)
	}
	const others = 0o002
	there, err := os.Lstat(path)
	switch {
	case err == nil && there.Mode().Type()&(os.ModeSocket|os.ModeSymlink) == 0:
		return path + " is there, and is no socket: remove it, or the service does not start"
	case info.Mode().Perm()&others != 0:
		return fmt.Sprintf("everybody can write to %s, and so keep the service from starting: give its socket a directory of its own", dir)
	}
	return ""
}

// outputFact says why an output file cannot be made.
func outputFact(o config.Output) string {
	path, ok := o.File()
	if !ok {
		return ""
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Sprintf("the directory of the output file: %v; make it, or the output is lost", err)
	case !info.IsDir():
		return fmt.Sprintf("%s is not a directory: the output is lost", dir)
	}
	return ""
}
