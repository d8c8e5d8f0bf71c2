package release

import (
	"fmt"
	"strings"

	"hupwatch/config"
	"hupwatch/services/process"
)

// Spec is what a process of the release is started with, but for its arguments, its
// environment and its descriptors.
func (rel *Release) Spec() process.Spec {
	c := rel.Service
	spec := process.Spec{
		Path: rel.Path, Dir: rel.Dir,
		Credential: rel.Credential, Umask: c.Umask, OOMScoreAdj: c.OOMScoreAdj,
	}
	for _, l := range c.Limits {
		spec.Limits = append(spec.Limits, process.Limit{Name: l.Name, Resource: l.Resource, Soft: l.Soft, Hard: l.Hard})
	}
	return spec
}

// Argv is the argument vector of a generation of the release. The generation has these
// variables besides those of the release.
func (rel *Release) Argv(generation []string) ([]string, error) {
	argv, err := rel.expand(rel.Service.Command, generation)
	if err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	if strings.ContainsRune(argv[0], '/') {
		argv[0] = rel.Path // the release's own, wherever a link leads later
	}
	return argv, nil
}

// expand expands the arguments of a command.
func (rel *Release) expand(command, variables []string) ([]string, error) {
	lookup := lookupIn(variables, rel.Env, rel.Inherited)
	argv := make([]string, len(command))
	for i, arg := range command {
		text, err := config.Expand(arg, lookup)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i, err)
		}
		argv[i] = fill(text, variables)
	}
	return argv, nil
}

// Command is how one of the service's own commands is run: as its user, in its
// directory.
func (rel *Release) Command(command, variables []string) (process.Spec, error) {
	spec := rel.Spec()
	argv, err := rel.expand(command, variables)
	if err != nil {
		return spec, err
	}
	if spec.Path, _, err = rel.locate(argv[0]); err != nil {
		return spec, err
	}
	spec.Args = argv
	spec.Env = rel.Environ(variables)
	spec.Stdout, spec.Stderr = -1, -1
	return spec, nil
}

// ReadyAt expands what is to be probed: the URL or address of a release's ready.
func (rel *Release) ReadyAt(r *config.Ready, variables []string) (url, address string, err error) {
	lookup := lookupIn(variables, rel.Env, rel.Inherited)
	if url, err = config.Expand(r.URL, lookup); err == nil {
		address, err = config.Expand(r.Address, lookup)
	}
	if err != nil {
		return "", "", fmt.Errorf("ready.%s: %w", r.Kind, err)
	}
	return fill(url, variables), fill(address, variables), nil
}
