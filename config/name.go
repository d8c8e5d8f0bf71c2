package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// AllServices is the name that stands for every service, and that no service has.
const AllServices = "all"

// CheckServiceName says what is wrong with the name of a service.
func CheckServiceName(name string) error {
	const most = 64

	switch {
	case name == AllServices:
		return errors.New("all is reserved, it stands for every service: choose another name")
	case name == "":
		return errors.New("the name of the service is empty")
	case len(name) > most:
		return fmt.Errorf("the name has %d characters: %d at most", len(name), most)
	case !isLetterOrDigit(name[0]):
		return fmt.Errorf("the name %q must start with a letter or digit", clip(name))
	}

	for i := range len(name) {
		if !isLetterOrDigit(name[i]) && !strings.ContainsRune("_.-", rune(name[i])) {
			return fmt.Errorf("the name %q has a character other than letters, digits and _ . -", clip(name))
		}
	}
	return nil
}

// checkAccount says what is wrong with the name or number of a user or group.
func checkAccount(name string) error {
	bad := func(r rune) bool { return r <= ' ' || r == ':' || r == '/' || r == 0x7f }
	switch {
	case name == "":
		return errors.New("empty: leave the key out to stay who hupwatch is")
	case strings.Contains(name, ":"):
		return fmt.Errorf("%q names two: user and group are keys of their own", clip(name))
	case strings.ContainsFunc(name, bad), name[0] == '-':
		return fmt.Errorf("not the name of an account: %q", clip(name))
	}
	return nil
}

// checkPath says what is wrong with a path.
func checkPath(path string) error {
	bad := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case path == "":
		return errors.New("the path is empty: name one, or leave the key out")
	case strings.ContainsFunc(path, bad):
		return fmt.Errorf("the path %q has a control character in it", clip(path))
	case path == "~" || strings.HasPrefix(path, "~/"):
		return fmt.Errorf("no shell reads this: write ${HOME}%s", path[1:])
	}
	return nil
}

// joinPath makes a path absolute. It does not clean it: behind a symbolic link
// a .. is not what it looks like.
func joinPath(dir, path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	for strings.HasPrefix(path, "./") {
		path = strings.TrimLeft(path[1:], "/")
	}
	switch {
	case path == "", path == ".":
		return dir
	case dir == ".":
		return path
	}
	return strings.TrimSuffix(dir, "/") + "/" + path
}

// SplitPath returns the directory of a path, and the name in it. Unlike filepath.Split it
// leaves each .. to the kernel: behind a symbolic link it is not what it looks like.
func SplitPath(path string) (dir, name string) {
	for len(path) > 1 && strings.HasSuffix(path, "/") {
		path = path[:len(path)-1]
	}
	i := strings.LastIndexByte(path, '/')
	switch {
	case i < 0:
		return ".", path
	case i == 0:
		return "/", path[1:]
	}
	return path[:i], path[i+1:]
}

// DirOf returns the directory of a path, as SplitPath does.
func DirOf(path string) string {
	dir, _ := SplitPath(path)
	return dir
}

// Absolute makes the path of a file absolute. It is shortened only if the short one leads
// to the same file.
func Absolute(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		dir, err := os.Getwd()
		if err != nil {
			return "", fmt.Errorf("find its directory: %w", err)
		}
		path = joinPath(dir, path)
	}
	short := filepath.Clean(path)
	if short == path {
		return path, nil
	}
	meant, err := os.Stat(path)
	if there, shortErr := os.Stat(short); err == nil && shortErr == nil && os.SameFile(meant, there) {
		return short, nil
	}
	return path, nil
}

func isLetterOrDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
