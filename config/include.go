package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// include is one element of include: a file or a pattern of files.
type include struct {
	at      string
	pattern string
}

// files returns the files that are meant, in the order of their names. Relative
// ones are below dir. A pattern may match none.
func (i include) files(dir string) ([]string, error) {
	pattern := i.pattern
	if !filepath.IsAbs(pattern) {
		pattern = joinPath(dir, pattern)
	}
	if !isPattern(pattern) {
		return []string{pattern}, nil
	}
	files, err := match(pattern)
	slices.Sort(files)
	return slices.Compact(files), err // with several ** there are several ways to one
}

// match is like filepath.Glob, but fails if a directory cannot be read: otherwise all
// services in it would look removed, and be stopped. It skips hidden files, as a
// shell does. The name ** stands for any directories below, or none; links are not
// followed there.
func match(pattern string) ([]string, error) {
	parent, base := SplitPath(pattern)
	parents := []string{parent}
	if isPattern(parent) {
		var err error
		if parents, err = match(parent); err != nil {
			return nil, err
		}
	}
	switch base {
	case anyDepth:
		return below(parents, isPattern(parent))
	case ".", "..": // the kernel knows where that is
		for i := range parents {
			parents[i] = strings.TrimSuffix(parents[i], "/") + "/" + base
		}
		return slices.DeleteFunc(parents, func(dir string) bool { info, err := os.Stat(dir); return err != nil || !info.IsDir() }), nil
	}

	var files []string
	for _, dir := range parents {
		entries, _, err := listDir(dir, isPattern(parent))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(base, ".")
			if ok, err := filepath.Match(base, e.Name()); ok && err == nil && !hidden {
				files = append(files, joinPath(dir, e.Name()))
			}
		}
	}
	return files, nil
}

// listDir returns what is in a directory. If a pattern led there, it need not be one.
func listDir(dir string, matched bool) (entries []fs.DirEntry, is bool, err error) {
	entries, err = os.ReadDir(dir)
	switch {
	case matched && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
		return nil, false, nil
	case errors.Is(err, fs.ErrNotExist): // if it was moved away, every service in it would be stopped
		return nil, false, fmt.Errorf("there is no directory %s: create it, empty if need be, or take it out of include", dir)
	case err != nil:
		return nil, false, fmt.Errorf("list %s: %w", dir, cause(err))
	}
	return entries, true, nil
}

// anyDepth is the name that stands for any directories.
const anyDepth = "**"

// below returns directories and all that are in them, at any depth.
func below(parents []string, matched bool) (dirs []string, err error) {
	for _, dir := range parents {
		entries, is, err := listDir(dir, matched)
		switch {
		case err != nil:
			return nil, err
		case !is:
			continue
		}
		dirs = append(dirs, dir)
		var further []string
		for _, e := range entries {
			if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				further = append(further, joinPath(dir, e.Name()))
			}
		}
		deeper, err := below(further, true)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, deeper...)
	}
	return dirs, nil
}

func isPattern(path string) bool { return strings.ContainsAny(path, `*?[\`) }

// follow reads the files that the main file includes.
func (l *loader) follow(top *table) {
	for _, inc := range l.includes {
		files, err := inc.files(DirOf(l.main.name))
		if err != nil {
			top.problem(inc.at, err)
			l.incomplete = true
			continue
		}
		for _, name := range files {
			if err := l.includeFile(name); err != nil {
				top.problem(inc.at, fmt.Errorf("%s: %w", name, err))
				l.incomplete = true
			}
		}
	}
}

// includeFile reads one file, unless it has been read already: patterns may
// overlap, and match the main file too.
func (l *loader) includeFile(name string) error {
	s := &source{name: name}
	if err := s.locate(); err != nil {
		return err
	}
	if l.files[s.real] {
		return nil
	}

	unsafe, err := s.read()
	if err != nil {
		return err
	}
	l.suspect(s, unsafe)

	t := l.document(s)
	for _, key := range []string{"include", sectionDaemon, "defaults"} {
		if _, ok := t.given[key]; ok {
			t.problem(key, fmt.Errorf("an included file holds [services.NAME] sections only: move this to %s", l.main.name))
			delete(t.given, key)
		}
	}
	t.decode()
	return nil
}

func decodeInclude(t *table, k *Key, v any) {
	t.stringElements(k, v, func(at, s string) {
		p, ok := t.expand(at, s)
		if !ok {
			return
		}
		if err := checkPath(p); err != nil {
			t.problem(at, err)
			return
		}
		if _, name := SplitPath(p); name == anyDepth {
			t.problem(at, fmt.Errorf("** is directories: name the files in them too, like %s/*.toml", p))
			return
		}
		if _, err := filepath.Match(p, ""); err != nil {
			t.problem(at, fmt.Errorf("the pattern %q has a [ that is not closed or a \\ at its end", clip(p)))
			return
		}
		t.includes = append(t.includes, include{at: at, pattern: p})
	})
}
