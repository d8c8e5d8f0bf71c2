package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ownDirectory decodes the path of a directory that is hupwatch's alone.
func ownDirectory(field func(t *table) *string) func(t *table, k *Key, v any) {
	return func(t *table, k *Key, v any) {
		path(field)(t, k, v)
		t.checkOwn(k, filepath.Clean(*field(t)))
	}
}

func (t *table) checkOwn(k *Key, dir string) {
	switch dir {
	case "/", "/run", "/var/run", "/tmp", "/var/tmp", "/var", "/var/lib", "/etc", "/dev", "/home", "/root":
		t.problem(k.Name, fmt.Errorf("%s belongs to others too: hupwatch needs a directory of its own, like %s", dir, filepath.Join(dir, "hupwatch")))
	}
}

// runtimeDirectory takes a path that leaves room for the control socket.
func runtimeDirectory(field func(t *table) *string) func(t *table, k *Key, v any) {
	take := ownDirectory(field)
	return func(t *table, k *Key, v any) {
		take(t, k, v)
		if most := longestUnixPath - len("/"+ControlSocket); len(*field(t)) > most {
			t.problem(k.Name, fmt.Errorf("the path %s has %d bytes, %d at most leave room for the control socket in it: choose a shorter one", *field(t), len(*field(t)), most))
		}
	}
}

// defaultDirectories fills in what depends on the user that hupwatch runs as.
func (l *loader) defaultDirectories() {
	d := &l.config.Daemon

	if _, ok := l.daemonTable.given["runtime_dir"]; !ok {
		d.RuntimeDir = l.runtimeDir(os.Geteuid())
	}
	if _, ok := l.daemonTable.given["name_file"]; !ok {
		d.NameFile = filepath.Join(d.RuntimeDir, "reload")
	}
	if _, ok := l.daemonTable.given["state_dir"]; !ok {
		d.StateDir = l.stateDir(os.Geteuid())
	}
}

// stateDir is where state is kept over a reboot; empty for nowhere.
func (l *loader) stateDir(euid int) string {
	if euid == 0 {
		return l.base.daemon.StateDir
	}
	if dir, ok := l.env("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "hupwatch")
	}
	if home, ok := l.env("HOME"); ok && filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "hupwatch")
	}
	return ""
}

func (l *loader) runtimeDir(euid int) string {
	if euid == 0 {
		return l.base.daemon.RuntimeDir
	}
	if dir, ok := l.env("XDG_RUNTIME_DIR"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "hupwatch")
	}
	return fmt.Sprintf("/tmp/hupwatch-%d", euid)
}

// checkShutdown warns of services that have less time to stop when hupwatch ends
// than at a reload.
func (l *loader) checkShutdown() {
	budget := l.config.Daemon.ShutdownTimeout
	if _, ok := l.daemonTable.given["shutdown_timeout"]; !ok || l.daemonTable.failed["shutdown_timeout"] {
		return
	}

	var names []string
	for _, s := range l.config.Services {
		if s.StopTimeout > budget {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	if most := 3; len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	if len(names) > 0 {
		l.daemonTable.warn("shutdown_timeout", fmt.Sprintf(
			"shorter than the stop_timeout of %s: at the end of hupwatch they get KILL after %v", strings.Join(names, ", "), budget))
	}
}
