package config

import (
	"os"
	"strings"
)

// ControlSocket is the name of the control socket in runtime_dir.
const ControlSocket = "control.sock"

// RuntimeDirs returns the directories that may be the runtime_dir of the hupwatch of
// that file, the likeliest first. It reads that one key only, so it works with a file
// that is broken elsewhere: the hupwatch that runs can still be asked. If the file
// does not name one, these are the defaults: that of the current user, and that of
// root. If the file cannot be read, they are the same, and the error says why.
func RuntimeDirs(path string) ([]string, error) {
	l := newLoader(path, os.LookupEnv)
	if _, err := l.main.read(); err != nil {
		return l.defaultRuntimeDirs(os.Geteuid()), err
	}
	if dir := l.givenRuntimeDir(); dir != "" {
		return []string{dir}, nil
	}
	return l.defaultRuntimeDirs(os.Geteuid()), nil
}

func (l *loader) defaultRuntimeDirs(euid int) []string {
	own, root := l.runtimeDir(euid), l.runtimeDir(0)
	if own == root {
		return []string{own}
	}
	return []string{own, root}
}

// givenRuntimeDir decodes daemon.runtime_dir of the main file, or, if that is
// no TOML, of the line on which it stands.
func (l *loader) givenRuntimeDir() string {
	if l.main.locate() != nil {
		return ""
	}

	values, _, err := l.main.decode()
	given, _ := values[sectionDaemon].(map[string]any)
	if err != nil {
		given = l.main.daemonLine("runtime_dir")
	}
	v, ok := given["runtime_dir"]
	if !ok {
		return ""
	}

	var d Daemon
	t := &table{loader: l, source: l.main, section: sectionDaemon, path: sectionDaemon, daemon: &d}
	path(func(t *table) *string { return &t.daemon.RuntimeDir })(t, l.keys[sectionDaemon]["runtime_dir"], v)
	return d.RuntimeDir
}

// daemonLine decodes only the line on which a key of the daemon stands, below
// its header or dotted.
func (s *source) daemonLine(key string) map[string]any {
	line := keyLines(s.text)[joinKey(sectionDaemon, key)]
	lines := strings.Split(string(trimBOM(s.text)), "\n")
	if line < 1 || line > len(lines) {
		return nil
	}
	values, _, err := (&source{text: []byte(strings.TrimSuffix(lines[line-1], "\r"))}).decode()
	if err != nil {
		return nil
	}
	if dotted, ok := values[sectionDaemon].(map[string]any); ok {
		return dotted
	}
	return values
}
