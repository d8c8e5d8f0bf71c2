package config_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hupwatch/config"
)

const service = "[services.%s]\ncommand = \"x\"\n"

func TestIncludedFilesAddServices(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, dir, "d", "e", "empty")
	main := write(t, filepath.Join(dir, "hupwatch.toml"), `
include = ["d/*.toml", "e/one.toml", "d/a.toml", "empty/*.toml", "*.toml", "*/*.toml"]
[defaults]
working_dir = "work"
`+fmt.Sprintf(service, "main"))
	write(t, filepath.Join(dir, "d", "a.toml"), fmt.Sprintf(service, "a"))
	write(t, filepath.Join(dir, "d", ".hidden.toml"), "not TOML")
	write(t, filepath.Join(dir, "d", "b.toml~"), "not TOML")
	write(t, filepath.Join(dir, "e", "one.toml"), fmt.Sprintf(service, "one")+"env_file = [\"./env\"]\nworking_dir = \"own\"")

	cfg := loaded(t, main)
	if got := names(cfg); got != "a main one" {
		t.Errorf("got services %s", got)
	}
	if a, _ := cfg.Service("a"); a.WorkingDir != filepath.Join(dir, "work") {
		t.Errorf("a directory of the defaults is not relative to the main file: %s", a.WorkingDir)
	}
	one, _ := cfg.Service("one")
	if one.WorkingDir != filepath.Join(dir, "e", "own") || one.EnvFiles[0].Path != filepath.Join(dir, "e", "env") {
		t.Errorf("paths of an included file are not relative to it: %+v", one)
	}
}

// loaded is a configuration that must be good.
func loaded(t *testing.T, path string) *config.Config {
	t.Helper()
	c, problems := config.Load(path)
	if c == nil {
		t.Fatal(problems)
	}
	return c
}

// names are those of the services of a configuration.
func names(c *config.Config) string {
	var all []string
	for _, s := range c.Services {
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

// It meant the same as a single star, and the services of the files further down were
// left out, and stopped at the next reload.
func TestTwoStarsAreDirectoriesAtAnyDepth(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, dir, "d", "d/x", "d/x/y", "d/.git", "elsewhere")
	for file, name := range map[string]string{"d/a.toml": "a", "d/x/b.toml": "b", "d/x/y/c.toml": "c", "d/.git/h.toml": "hidden", "elsewhere/e.toml": "e"} {
		write(t, filepath.Join(dir, file), fmt.Sprintf(service, name))
	}
	if err := os.Symlink("../elsewhere", filepath.Join(dir, "d/link")); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"d/**/*.toml":      "a b c",
		"d/**/y/*.toml":    "c",
		"**/*.toml":        "a b c e",
		"d/**/**/*.toml":   "a b c",
		"d/x/**/*.toml":    "b c",
		"d/*/*.toml":       "b e",
		"d/**/[bc].toml":   "b c",
		"d/**/nosuch.toml": "",
		"d/*/../*.toml":    "a",
		"d/*/./*.toml":     "b e",
		"d/*/**/*.toml":    "b c e",
	} {
		main := write(t, filepath.Join(dir, "hupwatch.toml"), fmt.Sprintf("include = [%q]\n", pattern))
		if got := names(loaded(t, main)); got != want {
			t.Errorf("%s: services %q, want %q", pattern, got, want)
		}
	}
}

// Behind a link a .. is where the link leads, not where it stands.
func TestPathsAreLeftToTheKernel(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, dir, "releases", "releases/7", "releases/7/conf", "releases/7/more", "releases/7/work", "conf.d", "more")
	if err := os.Symlink("releases/7/conf", filepath.Join(dir, "conf")); err != nil {
		t.Fatal(err)
	}
	text := `include = ["../more/*.toml"]` + "\n[services.web]\ncommand = \"x\"\nworking_dir = \"../work\"\n"
	write(t, filepath.Join(dir, "releases/7/conf/hupwatch.toml"), text)
	write(t, filepath.Join(dir, "releases/7/more/a.toml"), fmt.Sprintf(service, "a"))
	write(t, filepath.Join(dir, "more/wrong.toml"), fmt.Sprintf(service, "wrong"))
	write(t, filepath.Join(dir, "releases/7/hupwatch.toml"), `include = ["conf/../more/*.toml", "more/a.toml"]`+"\n")
	t.Chdir(dir)
	for _, main := range []string{filepath.Join(dir, "conf/hupwatch.toml"), "conf/hupwatch.toml"} {
		if got := names(loaded(t, main)); got != "a web" {
			t.Errorf("%s: services %q, want a and web", main, got)
		}
	}
	if got := names(loaded(t, "conf/../hupwatch.toml")); got != "a" {
		t.Errorf("services %q, want a", got)
	}
}

func TestSplitPath(t *testing.T) {
	for path, want := range map[string][2]string{
		"/a/b": {"/a", "b"}, "/a": {"/", "a"}, "a": {".", "a"}, "/a/b/": {"/a", "b"},
		"/a/../b": {"/a/..", "b"}, "/a/..": {"/a", ".."}, "/": {"/", ""},
	} {
		if dir, name := config.SplitPath(path); dir != want[0] || name != want[1] {
			t.Errorf("%s is %s in %s, want %v", path, name, dir, want)
		}
	}
}

func TestProblemsOfAllFilesAreReportedAtOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	mkdir(t, dir, "d")
	write(t, "hupwatch.toml", `include = ["missing.toml", "gone/*.toml", "d/*.toml", "hupwatch.toml/*.toml", "d"]
[services.web]
comand = "x"
[services.api]
command = "x"
listen = ["tcp://:80"]
`)
	write(t, "d/a.toml", "include = []\n[daemon]\n[defaults]\n[services.web]\ncommand = \"x\"\n[services.b]\ncommand = \"x\"\nlisten = [\n\"tcp://:80\"]\n")
	write(t, "d/b.toml", "[services.c\n")
	write(t, "d/c.toml", "log_level = 1\n\n[services.c]\nuser = 1\n")

	want := `hupwatch.toml:1: include[0]: missing.toml: open it: no such file or directory
hupwatch.toml:1: include[1]: there is no directory gone: create it, empty if need be, or take it out of include
hupwatch.toml:1: include[3]: list hupwatch.toml: not a directory
hupwatch.toml:1: include[4]: d: this is a directory, not a file
hupwatch.toml:3: services.web.comand: unknown key, did you mean command?
d/a.toml:1: include: an included file holds [services.NAME] sections only: move this to hupwatch.toml
d/a.toml:2: daemon: an included file holds [services.NAME] sections only: move this to hupwatch.toml
d/a.toml:3: defaults: an included file holds [services.NAME] sections only: move this to hupwatch.toml
d/a.toml:4: services.web: this service is there already, at hupwatch.toml:2: keep one, or rename one
d/a.toml:9: services.b.listen[0]: service b cannot listen on :80, service api does so at hupwatch.toml:6
d/b.toml:1: expected '.' or ']' to end table name, but got '\n' instead: the closing ] is missing
d/c.toml:1: log_level: this key belongs in [daemon]
d/c.toml:3: services.c.command: missing: say what to run, like command = ["gunicorn", "myapp:app"]
d/c.toml:4: services.c.user: expected a string, like user = "www-data", not the integer 1`
	cfg, problems := config.Load("hupwatch.toml")
	if got := problems.Error(); got != want || cfg != nil {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestLoadRefusesWhatIsNoReadableFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}

	for path, want := range map[string]string{
		filepath.Join(dir, "missing"): "no such file",
		dir:                           "directory",
		fifo:                          "not a regular file",
		"/dev/zero":                   "not a regular file",
		write(t, filepath.Join(dir, "large"), strings.Repeat("#", 4<<20+1)):    "larger than 4 MiB",
		write(t, filepath.Join(dir, "utf16"), "\xff\xfea\x00=\x001\x00\n\x00"): "UTF-8",
	} {
		cfg, problems := config.Load(path)
		if cfg != nil || len(problems) != 1 || !strings.Contains(problems[0].Text, want) || problems[0].File != path {
			t.Errorf("%s: got %v", path, problems)
		}
	}
}

func TestFileThatOthersCanChangeIsWarnedOf(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "hupwatch.toml"), fmt.Sprintf(service, "web"))

	if _, problems := config.Load(path); len(problems) > 0 {
		t.Errorf("a safe file has problems: %v", problems)
	}

	if err := os.Chmod(path, 0o664); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0
	if root {
		if err := os.Chown(path, 4711, 0); err != nil {
			t.Fatal(err)
		}
	}

	cfg, problems := config.Load(path)
	if cfg == nil {
		t.Fatalf("a warning is no reason to refuse: %v", problems)
	}
	want := []string{"chmod o-w " + dir, "mode 0664"}
	if root {
		want = append(want, "user 4711 owns")
	}
	for _, text := range want {
		if !strings.Contains(problems.Error(), text) {
			t.Errorf("no warning with %q in\n%v", text, problems)
		}
	}
}

func TestRuntimeDirDependsOnTheUser(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	want := "/run/user/1000/hupwatch"
	if os.Geteuid() == 0 {
		want = "/run/hupwatch"
	}

	cfg, problems := config.Load(write(t, filepath.Join(t.TempDir(), "hupwatch.toml"), fmt.Sprintf(service, "web")))
	if cfg == nil {
		t.Fatal(problems)
	}
	if cfg.Daemon.RuntimeDir != want || cfg.Daemon.NameFile != want+"/reload" {
		t.Errorf("got %+v", cfg.Daemon)
	}
}

func TestStateDirDependsOnTheUser(t *testing.T) {
	load := func() string {
		cfg, problems := config.Load(write(t, filepath.Join(t.TempDir(), "hupwatch.toml"), fmt.Sprintf(service, "web")))
		if cfg == nil {
			t.Fatal(problems)
		}
		return cfg.Daemon.StateDir
	}
	for _, c := range []struct{ state, home, want string }{
		{"/x/state", "/home/me", "/x/state/hupwatch"},
		{"", "/home/me", "/home/me/.local/state/hupwatch"},
		{"", "", ""},
	} {
		t.Setenv("XDG_STATE_HOME", c.state)
		t.Setenv("HOME", c.home)
		if os.Geteuid() == 0 {
			c.want = "/var/lib/hupwatch"
		}
		if got := load(); got != c.want {
			t.Errorf("with XDG_STATE_HOME=%s and HOME=%s it is %q, want %q", c.state, c.home, got, c.want)
		}
	}
}

func TestNameFileFollowsRuntimeDir(t *testing.T) {
	cfg, problems := config.Parse("/x/hupwatch.toml", fmt.Appendf(nil, "[daemon]\nruntime_dir = \"run\"\n"+service, "web"), noEnv)
	if cfg == nil {
		t.Fatal(problems)
	}
	if cfg.Daemon.RuntimeDir != "/x/run" || cfg.Daemon.NameFile != "/x/run/reload" {
		t.Errorf("got %+v", cfg.Daemon)
	}
}

func mkdir(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// thousand is a configuration of 1000 services as they may well look.
func thousand() []byte {
	var b bytes.Buffer
	b.WriteString("[defaults]\nuser = \"www-data\"\nenvironment = { TZ = \"UTC\" }\n")
	for i := range 1000 {
		fmt.Fprintf(&b, `
# Service number %d.
[services.web%d]
command = ["gunicorn", "myapp:app", "--workers", "4"]
working_dir = "/srv/web%d/current"
environment = { PORT = "%d", PATH = "/opt/bin:${PATH}" }
env_file = ["-/etc/default/web%d"]
listen = ["tcp://127.0.0.1:%d", { address = "unix:///run/web%d.sock", mode = "0660" }]
limits = { nofile = 65536 }
stop_timeout = "1m30s"
warmup = 2
`, i, i, i, 2000+i, i, 2000+i, i)
	}
	return b.Bytes()
}

func BenchmarkLoad1000(b *testing.B) {
	path := filepath.Join(b.TempDir(), "hupwatch.toml")
	if err := os.WriteFile(path, thousand(), 0o644); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if cfg, problems := config.Load(path); cfg == nil || len(cfg.Services) != 1000 {
			b.Fatal(problems)
		}
	}
}

func BenchmarkLoad1000WithProblems(b *testing.B) {
	text := bytes.ReplaceAll(thousand(), []byte("warmup = 2"), []byte("warmup = -2"))
	for b.Loop() {
		if _, problems := config.Parse("/x.toml", text, noEnv); len(problems) != 1000 {
			b.Fatal(len(problems))
		}
	}
}
