package services

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
	account, err := lookupAccount(c.User, c.Group)
	if err != nil {
		return nil, err
	}
	rel.Credential = account.credential
	rel.Inherited = r.inherited(c)
	if rel.Env, err = r.environment(c, rel, account); err != nil {
		return nil, err
	}
	if err = rel.find(); err != nil {
		return nil, err
	}
	if _, err := rel.Argv(generationEnv(c, 0, 0, "")); err != nil {
		return nil, err
	}
	return rel, nil
}

// Usable tells whether the directory and the binary of a release are still
// there.
func Usable(rel *Release) bool {
	info, err := os.Stat(rel.Dir)
	if err != nil || !info.IsDir() {
		return false
	}
	_, err = executable(rel.Path)
	return err == nil
}

// Argv is the argument vector of a generation of the release that has these
// variables besides those of the release.
func (rel *Release) Argv(generation []string) ([]string, error) {
	lookup := lookupIn(generation, rel.Env, rel.Inherited)
	argv := make([]string, len(rel.Service.Command))
	for i, arg := range rel.Service.Command {
		text, err := config.Expand(arg, lookup)
		if err != nil {
			return nil, fmt.Errorf("command: argument %d: %w", i, err)
		}
		argv[i] = text
	}
	if strings.ContainsRune(argv[0], '/') {
		argv[0] = rel.Path // the release's own, wherever a link leads later
	}
	return argv, nil
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
	name, err := config.Expand(c.Command[0], lookupIn(generationEnv(c, 0, 0, ""), rel.Env, rel.Inherited))
	if err != nil {
		return fmt.Errorf("command: %w", err)
	}
	if strings.ContainsRune(name, '/') {
		return rel.findAt(name)
	}
	path, ok := lookupIn(rel.Env, rel.Inherited)("PATH")
	if !ok {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			continue
		}
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(rel.Dir, dir)
		}
		candidate := filepath.Join(dir, name)
		if p, err := executable(candidate); err == nil {
			rel.Path, rel.Program = candidate, p
			return nil
		}
	}
	return fmt.Errorf("command: no program %q in PATH=%s; give its full path, or set PATH in environment", name, path)
}

func (rel *Release) findAt(name string) error {
	if !filepath.IsAbs(name) {
		name = filepath.Join(rel.Dir, name)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return fmt.Errorf("command %s: %w", name, plain(err))
	}
	path := filepath.Join(dir, filepath.Base(name))
	if rel.Program, err = executable(path); err != nil {
		return fmt.Errorf("command %s: %w", path, err)
	}
	rel.Path = path
	return nil
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

// plain takes the operation and path out of an error that is about to be put
// behind them.
func plain(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}
