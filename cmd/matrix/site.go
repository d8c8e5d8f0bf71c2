package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"hupwatch/config"
)

// site is a copy of an example, so that a test leaves nothing behind in a
// checkout.
type site struct {
	root string // laid out as the repository is: bin, and examples below it
	dir  string
}

// newSite copies an example and makes its first release.
func (m *matrix) newSite(ctx context.Context, s server) (*site, error) {
	root, err := os.MkdirTemp("", "matrix") // short, for the paths of sockets
	if err != nil {
		return nil, err
	}
	at := &site{root: root, dir: filepath.Join(root, "examples", s.dir)}
	if err := at.fill(ctx, m, s); err != nil {
		return nil, errors.Join(err, at.remove())
	}
	return at, nil
}

func (at *site) fill(ctx context.Context, m *matrix, s server) error {
	if err := os.Chmod(at.root, 0o755); err != nil { // workers may be another user's
		return err
	}
	if err := os.Symlink(m.bin, filepath.Join(at.root, "bin")); err != nil {
		return err
	}
	if err := copyExample(filepath.Join(m.examples, s.dir), at.dir); err != nil {
		return err
	}
	if s.prepare == nil {
		return nil
	}
	prepare := exec.CommandContext(ctx, s.prepare[0], s.prepare[1:]...)
	prepare.Dir = at.dir
	if said, err := prepare.CombinedOutput(); err != nil {
		return fmt.Errorf("prepare %s: %w: %s", s.dir, err, said)
	}
	return nil
}

// copyExample copies the files of an example, but not what somebody's own try
// has left there.
func copyExample(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "run" || name == "releases"):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), text, info.Mode().Perm())
	})
}

func (at *site) file() string { return filepath.Join(at.dir, "hupwatch.toml") }

func (at *site) remove() error { return os.RemoveAll(at.root) }

// config reads the recipe.
func (at *site) config() (*config.Config, error) {
	cfg, problems := config.Load(at.file())
	if cfg == nil {
		return nil, problems
	}
	return cfg, nil
}
