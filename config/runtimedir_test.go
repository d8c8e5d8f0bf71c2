package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hupwatch/config"
)

func TestTheRuntimeDirIsFoundInABrokenFile(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a good file":          {"[daemon]\nruntime_dir = \"/srv/hw\"\n[services.a]\ncommand = [\"a\"]\n", "/srv/hw"},
		"relative to the file": {"[daemon]\nruntime_dir = \"run\"\n", "DIR/run"},
		"with a variable":      {"[daemon]\nruntime_dir = \"/srv/${TEST_HW}/run\"\n", "/srv/seven/run"},
		"dotted":               {"daemon.runtime_dir = \"/srv/hw\"\n", "/srv/hw"},
		"an inline table":      {"daemon = { runtime_dir = \"/srv/hw\" }\n", "/srv/hw"},
		"unknown keys":         {"nonsense = 1\n[daemon]\nnope = 2\nruntime_dir = \"/srv/hw\"\n", "/srv/hw"},
		"no TOML before it":    {"[services.web]\ncommand = oops\n[daemon]\nruntime_dir = \"/srv/hw\" # ours\n", "/srv/hw"},
		"no TOML behind it":    {"[daemon]\nruntime_dir = '/srv/hw'\n[services.web\ncommand =\n", "/srv/hw"},
		"no TOML, dotted":      {"daemon.runtime_dir = \"/srv/hw\"\nx = = 1\n", "/srv/hw"},
		"no TOML, CRLF":        {"[daemon]\r\nruntime_dir = \"/srv/hw\"\r\nx = = 1\r\n", "/srv/hw"},
		"no TOML, of another":  {"[services.web]\nruntime_dir = \"/srv/no\"\n[daemon]\nx = = 1\n", ""},
		"the line is broken":   {"[daemon]\nruntime_dir = \"/srv/hw\n", ""},
		"in no section":        {"runtime_dir = \"/srv/no\"\n", ""},
		"of the wrong type":    {"[daemon]\nruntime_dir = 7\n", ""},
		"not given":            {"[services.a]\ncommand = [\"a\"]\n", ""},
		"empty":                {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEST_HW", "seven")
			t.Setenv("XDG_RUNTIME_DIR", "/run/user/me")
			dir := t.TempDir()
			file := filepath.Join(dir, "hupwatch.toml")
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := config.RuntimeDirs(file)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{strings.Replace(c.want, "DIR", dir, 1)}
			if c.want == "" {
				want = defaults()
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestTheRuntimeDirOfAFileThatIsNotThereIsTheDefault(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/me")
	got, err := config.RuntimeDirs(filepath.Join(t.TempDir(), "gone.toml"))
	if err == nil || !slices.Equal(got, defaults()) {
		t.Errorf("got %q, %v, want %q and an error", got, err, defaults())
	}
}

// defaults are where whoever runs the test is to look.
func defaults() []string {
	if os.Geteuid() == 0 {
		return []string{"/run/hupwatch"}
	}
	return []string{"/run/user/me/hupwatch", "/run/hupwatch"}
}
