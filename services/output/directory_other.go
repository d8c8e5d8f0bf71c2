//go:build !linux

package output

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// directory is the one an output file is in.
type directory struct{ path string }

// openDirectory follows symbolic links, whoever's they are.
func openDirectory(path string) (directory, error) {
	_, err := os.Stat(path)
	return directory{path}, err
}

func (d directory) open(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(d.path, name), fileFlags, fileMode)
}

func (d directory) read(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(d.path, name), readFlags, 0)
}

// same reports whether the file has that name.
func (d directory) same(f *os.File, name string) (bool, error) {
	there, err := os.Lstat(filepath.Join(d.path, name))
	if err != nil {
		return false, err
	}
	ours, err := f.Stat()
	return err == nil && os.SameFile(ours, there), err
}

func (d directory) has(name string) bool {
	_, err := os.Lstat(filepath.Join(d.path, name))
	return !errors.Is(err, fs.ErrNotExist)
}

func (d directory) rename(from, to string) error {
	return os.Rename(filepath.Join(d.path, from), filepath.Join(d.path, to))
}

func (d directory) remove(name string) error { return os.Remove(filepath.Join(d.path, name)) }

func (d directory) close() {}
