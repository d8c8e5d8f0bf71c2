package runner

import (
	"fmt"
	"os"

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
	for _, s := range c.Services {
		if _, err := resolver.Resolve(s); err != nil {
			warnings = append(warnings, config.Problem{File: c.File, Key: "services." + s.Name, Text: err.Error(), Warning: true})
		}
	}
	return warnings
}
