package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Default returns a service that has the default of every key.
func Default() *Service {
	s := newLoader("", func(string) (string, bool) { return "", false }).base.service
	return &s
}

// OneService returns the configuration of one service that runs a command, without a
// file. What is not set here is as in an empty file. The service is named after the
// command. It is essential, and its output is hupwatch's own. There is no runtime
// directory unless one is set afterwards.
func OneService(command []string, warmup time.Duration) *Config {
	l := newLoader("", func(string) (string, bool) { return "", false })
	c := l.config
	c.Daemon.RuntimeDir, c.Daemon.NameFile, c.Daemon.StateDir = "", "", ""
	s := l.base.service
	s.Name = nameAfter(command[0])
	s.Warmup = warmup
	s.Essential, s.Restart = true, RestartNo
	s.Output = OutputInherit
	for _, arg := range command {
		s.Command = append(s.Command, strings.ReplaceAll(arg, "$", "$$")) // a shell has expanded it
	}
	c.Services = []*Service{&s}
	return &c
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// nameAfter makes a valid name out of that of a program.
func nameAfter(program string) string {
	name := notInName.ReplaceAllString(filepath.Base(program), "-")
	name = strings.TrimLeft(name, "_.-")
	if len(name) > 64 {
		name = name[:64]
	}
	if CheckServiceName(name) != nil {
		return "service"
	}
	return name
}
