package release

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hupwatch/config"
)

// Resolver makes releases out of configurations. It reads the host as it is at
// that moment: symbolic links, env files, accounts, binaries.
type Resolver struct {
	// Env is hupwatch's own environment.
	Env []string
	// Dir is hupwatch's own working directory as it was typed, its symbolic
	// links not resolved.
	Dir string
}

// Resolve makes a release. It may block on a file system that does not answer.
// Its errors name the key at fault and the remedy.
func (r Resolver) Resolve(c *config.Service) (*Release, error) {
	rel := &Release{Service: c}
	var err error
	if rel.Dir, err = r.dir(c); err != nil {
		return nil, err
	}
	if err = r.equip(rel); err != nil {
		return nil, err
	}
	if err = rel.find(); err != nil {
		return nil, err
	}
	if err := rel.checkExpansions(); err != nil {
		return nil, err
	}
	return rel, nil
}

// Lacks returns all that keeps a release from being made, where Resolve returns the first.
// What cannot be known because of another one is left out. It may block as Resolve does.
func (r Resolver) Lacks(c *config.Service) (all []error) {
	rel := &Release{Service: c, Inherited: r.inherited(c)}
	note := func(err error) bool {
		if err != nil {
			all = append(all, err)
		}
		return err == nil
	}
	var err error
	rel.Dir, err = r.dir(c)
	isDir := note(err)
	who, err := identify(c.User, c.Group)
	note(err)
	rel.Credential = who.credential
	rel.Env, err = r.environment(c, rel, who)
	if hasEnv := note(err); isDir && hasEnv && note(rel.find()) {
		note(rel.checkExpansions())
	}
	return all
}

// equip gives a release its account and environment.
func (r Resolver) equip(rel *Release) error {
	c := rel.Service
	who, err := identify(c.User, c.Group)
	if err != nil {
		return err
	}
	rel.Credential = who.credential
	rel.Inherited = r.inherited(c)
	rel.Env, err = r.environment(c, rel, who)
	return err
}

// checkExpansions expands all that is expanded later, so that a variable that is not
// set is found before anything is started.
func (rel *Release) checkExpansions() error {
	c := rel.Service
	variables := Variables(c, 0, 0, "")
	if _, err := rel.Argv(variables); err != nil {
		return err
	}
	variables = append(variables, pidVariable+"=0")
	if c.Ready != nil {
		if _, _, err := rel.ReadyAt(c.Ready, variables); err != nil {
			return err
		}
	}
	type command struct {
		key  string
		argv []string
	}
	var commands []command
	if c.Ready != nil {
		commands = append(commands, command{"ready.exec", c.Ready.Exec})
	}
	commands = append(commands,
		command{string(config.HookBeforeStart), c.BeforeStart},
		command{string(config.HookBeforeStop), c.BeforeStop},
		command{string(config.HookAfterReload), c.AfterReload},
	)
	for _, h := range commands {
		if h.key == string(config.HookAfterReload) {
			variables = append(variables, ResultVariables("", "")...)
		}
		if len(h.argv) == 0 {
			continue
		}
		argv, err := rel.expand(h.argv, variables)
		if err == nil {
			_, _, err = rel.locate(argv[0])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", h.key, err)
		}
	}
	return nil
}

// Again returns a release that was made before, if its directory and program are
// still there. If it was written down, its environment and account are made anew.
func (r Resolver) Again(rel *Release) (*Release, error) {
	info, err := os.Stat(rel.Dir)
	switch {
	case err != nil:
		return nil, plain(err)
	case !info.IsDir():
		return nil, errors.New("it is not a directory")
	}
	program, err := executable(rel.Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rel.Path, err)
	}
	if rel.Stored == nil {
		return rel, nil
	}
	renewed := &Release{Service: rel.Service, Dir: rel.Dir, Path: rel.Path, Program: program}
	if err := r.equip(renewed); err != nil {
		return nil, err
	}
	return renewed, renewed.checkExpansions()
}

func (r Resolver) dir(c *config.Service) (string, error) {
	dir := c.WorkingDir
	if dir == "" {
		dir = r.Dir
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if target, linkErr := os.Readlink(dir); err != nil && linkErr == nil {
		return "", fmt.Errorf("working_dir %s: it is a link to %s: %w", dir, target, plain(err))
	}
	if err != nil {
		return "", fmt.Errorf("working_dir %s: %w", dir, plain(err))
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return "", fmt.Errorf("working_dir %s: %w", dir, plain(err))
	}
	if !info.IsDir() {
		return "", fmt.Errorf("working_dir %s: it is not a directory", dir)
	}
	return resolved, nil
}

// find finds the binary: below the working directory if its name has a
// slash, else in the PATH the service will have. Only the directory is resolved,
// never the binary's own link: a virtualenv's python is known by its place.
func (rel *Release) find() error {
	c := rel.Service
	name, err := config.Expand(c.Command[0], lookupIn(Variables(c, 0, 0, ""), rel.Env, rel.Inherited))
	if err == nil {
		rel.Path, rel.Program, err = rel.locate(name)
	}
	if err != nil {
		return fmt.Errorf("command: %w", err)
	}
	return nil
}

// locate finds a program by its name.
func (rel *Release) locate(name string) (string, Program, error) {
	if strings.ContainsRune(name, '/') {
		return rel.locateAt(name)
	}
	path, ok := lookupIn(rel.Env, rel.Inherited)("PATH")
	if !ok {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	var refused string
	var found Program
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			continue
		}
		if !filepath.IsAbs(dir) {
			dir = rel.Dir + "/" + dir
		}
		candidate := strings.TrimRight(dir, "/") + "/" + name
		p, err := executable(candidate)
		switch {
		case err != nil:
		case rel.mayRun(candidate):
			return candidate, p, nil
		case refused == "":
			refused, found = candidate, p
		}
	}
	if refused != "" { // its start says why it is not allowed
		return refused, found, nil
	}
	return "", Program{}, fmt.Errorf("no program %q in PATH=%s; give its full path, or set PATH in environment", name, path)
}

func (rel *Release) locateAt(name string) (string, Program, error) {
	if !filepath.IsAbs(name) {
		name = rel.Dir + "/" + strings.TrimLeft(strings.TrimPrefix(name, "./"), "/")
	}
	dir, base := config.SplitPath(name)
	dir, err := filepath.EvalSymlinks(dir) // each .. is taken where the links before it lead
	if err != nil {
		return "", Program{}, fmt.Errorf("%s: %w", name, plain(err))
	}
	path := strings.TrimSuffix(dir, "/") + "/" + base
	p, err := executable(path)
	if err != nil {
		return "", Program{}, fmt.Errorf("%s: %w", path, err)
	}
	return path, p, nil
}

func executable(path string) (Program, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Program{}, plain(err)
	case info.IsDir():
		return Program{}, errors.New("it is a directory")
	case info.Mode()&0o111 == 0:
		return Program{}, errors.New("it is not executable; chmod +x it")
	}
	return Program{Size: info.Size(), Modified: info.ModTime().UnixNano()}, nil
}

// plain removes the operation and the path from an error whose message names them
// already.
func plain(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// Bare makes a release for the commands of a service whose own release cannot be
// made: they run as its user, in hupwatch's own directory.
func (r Resolver) Bare(c *config.Service) (*Release, error) {
	a, err := identify(c.User, c.Group)
	if err != nil {
		return nil, err
	}
	rel := &Release{Service: c, Dir: r.Dir, Credential: a.credential, Inherited: r.inherited(c)}
	for name, value := range a.variables {
		rel.Env = append(rel.Env, name+"="+value)
	}
	return rel, nil
}
