package release_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hupwatch/config"
	"hupwatch/services/release"
)

// host is a directory with two releases, a link to the first, and a binary in
// each.
func host(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range []string{"1", "2"} {
		program(t, filepath.Join(dir, release, "bin/server"))
	}
	link(t, "1", filepath.Join(dir, "current"))
	return dir
}

func program(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func resolve(t *testing.T, r release.Resolver, c *config.Service) *release.Release {
	t.Helper()
	release, err := r.Resolve(c)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func variable(r *release.Release, name string) string {
	for _, entry := range slices.Concat(r.Env, r.Inherited) {
		if n, value, _ := strings.Cut(entry, "="); n == name {
			return value
		}
	}
	return "(unset)"
}

func TestLinksAreResolvedAnewForEveryRelease(t *testing.T) {
	dir := host(t)
	c := &config.Service{Name: "web", Command: []string{"bin/server"}, WorkingDir: filepath.Join(dir, "current")}
	first := resolve(t, release.Resolver{}, c)
	link(t, "2", filepath.Join(dir, "current"))
	second := resolve(t, release.Resolver{}, c)
	for want, r := range map[string]*release.Release{"1": first, "2": second} {
		want = filepath.Join(dir, want)
		if r.Dir != want || r.Path != filepath.Join(want, "bin/server") || variable(r, "PWD") != want {
			t.Errorf("release in %s with PWD=%s runs %s, want everything in %s", r.Dir, variable(r, "PWD"), r.Path, want)
		}
		if argv, err := r.Argv(nil); err != nil || argv[0] != r.Path {
			t.Errorf("argv is %v, %v; want it to begin with %s", argv, err, r.Path)
		}
	}
}

func TestDefaultDirectoryIsHupwatchsOwnAsTyped(t *testing.T) {
	dir := host(t)
	r := release.Resolver{Dir: filepath.Join(dir, "current")}
	c := &config.Service{Name: "web", Command: []string{"./bin/server"}}
	if got := resolve(t, r, c).Dir; got != filepath.Join(dir, "1") {
		t.Errorf("runs in %s, want 1", got)
	}
	link(t, "2", filepath.Join(dir, "current"))
	if got := resolve(t, r, c).Dir; got != filepath.Join(dir, "2") {
		t.Errorf("runs in %s, want 2", got)
	}
}

// Behind a link a .. is where the link leads, not where it stands.
func TestTheProgramIsWhereTheKernelFindsIt(t *testing.T) {
	dir := host(t)
	program(t, filepath.Join(dir, "shared/bin/tool"))
	program(t, filepath.Join(dir, "1/bin/tool")) // where the text would lead
	if err := os.Symlink(filepath.Join(dir, "shared/vendor"), filepath.Join(dir, "1/vendor")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "shared/vendor"), 0o755); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "shared/bin/tool")
	for _, c := range []*config.Service{
		{Name: "web", Command: []string{"vendor/../bin/tool"}, WorkingDir: filepath.Join(dir, "1")},
		{Name: "web", Command: []string{filepath.Join(dir, "1/vendor") + "/../bin/tool"}, WorkingDir: dir},
		{Name: "web", Command: []string{"bin/tool"}, WorkingDir: filepath.Join(dir, "1/vendor") + "/.."},
	} {
		if got := resolve(t, release.Resolver{}, c).Path; got != want {
			t.Errorf("%s runs %s, want %s", c.Command[0], got, want)
		}
	}
	c := &config.Service{Name: "web", Command: []string{"tool"}, WorkingDir: filepath.Join(dir, "1"), Environment: map[string]string{"PATH": "vendor/../bin"}}
	got, err := os.Stat(resolve(t, release.Resolver{}, c).Path)
	if err != nil {
		t.Fatal(err)
	}
	if there, err := os.Stat(want); err != nil || !os.SameFile(got, there) {
		t.Errorf("by PATH another program is found: %v", err)
	}
}

// A shell of the service's user passes over what that user may not execute.
func TestAProgramIsLookedUpWithTheEyesOfTheServicesUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to run as somebody else")
	}
	dir := host(t)
	for at := dir; at != "/" && at != os.TempDir(); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"shut/tool", "private/tool", "open/tool", "shut/only"} {
		program(t, filepath.Join(dir, name))
	}
	for path, mode := range map[string]os.FileMode{"shut": 0o700, "private/tool": 0o700, "private": 0o755, "open": 0o755, "open/tool": 0o755} {
		if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../open/tool", filepath.Join(dir, "shut/linked")); err != nil {
		t.Fatal(err)
	}
	path := strings.Join([]string{dir + "/shut", dir + "/private", dir + "/open"}, ":")
	c := &config.Service{Name: "web", Command: []string{"tool"}, WorkingDir: dir, User: "nobody", Environment: map[string]string{"PATH": path}}
	if got := resolve(t, release.Resolver{}, c).Path; got != dir+"/open/tool" {
		t.Errorf("nobody runs %s", got)
	}
	root := *c
	root.User = ""
	if got := resolve(t, release.Resolver{}, &root).Path; got != dir+"/shut/tool" {
		t.Errorf("root runs %s", got)
	}
	program(t, filepath.Join(dir, "open/linked"))
	linked := *c
	linked.Command = []string{"linked"}
	if got := resolve(t, release.Resolver{}, &linked).Path; got != dir+"/open/linked" {
		t.Errorf("nobody runs %s", got)
	}
	only := *c
	only.Command = []string{"only"}
	if got := resolve(t, release.Resolver{}, &only).Path; got != dir+"/shut/only" {
		t.Errorf("what nobody may run is looked for in vain: %s", got)
	}
}

func TestALimitIsKnownByItsName(t *testing.T) {
	dir := host(t)
	c := &config.Service{Name: "web", Command: []string{"bin/server"}, WorkingDir: filepath.Join(dir, "1"), Limits: []config.Limit{{Name: "nofile", Resource: 7, Soft: 1, Hard: 2}}}
	if limits := resolve(t, release.Resolver{}, c).Spec().Limits; len(limits) != 1 || limits[0].Name != "nofile" || limits[0].Hard != 2 {
		t.Errorf("its limits are %+v", limits)
	}
}

// A virtualenv's python is a link, and knows its packages by where that link is.
func TestTheProgramsOwnLinkIsNotResolved(t *testing.T) {
	dir := host(t)
	program(t, filepath.Join(dir, "usr/bin/python3"))
	link(t, filepath.Join(dir, "usr/bin/python3"), filepath.Join(dir, "1/bin/python"))
	want := filepath.Join(dir, "1/bin/python")
	for _, command := range []string{"bin/python", filepath.Join(dir, "current/bin/python")} {
		c := &config.Service{Name: "web", Command: []string{command}, WorkingDir: filepath.Join(dir, "current")}
		if got := resolve(t, release.Resolver{}, c).Path; got != want {
			t.Errorf("%s: runs %s, want %s", command, got, want)
		}
	}
}

func TestANameWithoutASlashIsLookedUpInTheServicesPath(t *testing.T) {
	dir := host(t)
	program(t, filepath.Join(dir, "tools/server"))
	c := &config.Service{
		Name: "web", Command: []string{"server", "-x"}, WorkingDir: filepath.Join(dir, "1"),
		Environment: map[string]string{"PATH": "bin:${PATH}"},
	}
	r := resolve(t, release.Resolver{Env: []string{"PATH=" + filepath.Join(dir, "tools")}}, c)
	if want := filepath.Join(dir, "1/bin/server"); r.Path != want {
		t.Errorf("runs %s, want %s", r.Path, want)
	}
	if argv, err := r.Argv(nil); err != nil || !slices.Equal(argv, []string{"server", "-x"}) {
		t.Errorf("argv is %v, %v; want the name as it was written", argv, err)
	}
}

func TestLayersOfTheEnvironment(t *testing.T) {
	dir := host(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := &config.Service{
		Name: "web", Command: []string{"bin/server"}, WorkingDir: filepath.Join(dir, "1"),
		UnsetEnvironment: []string{"AWS_*"},
		EnvFiles: []config.EnvFile{
			{Path: write("first", "A=first\nB=first\nC=first\nspring.datasource.url=jdbc:x\n")},
			{Path: write("second", "B=second\nC=second\n")},
			{Path: filepath.Join(dir, "none"), Optional: true},
		},
		Environment: map[string]string{"C": "own ${C} and ${D:-nothing}", "E": "$${A}", "log.level": "info"},
	}
	r := resolve(t, release.Resolver{Env: []string{
		"A=inherited", "KEPT=yes", "kept.too=yes", "AWS_SECRET=x", "NOTIFY_SOCKET=/run/systemd/notify", "LISTEN_FDS=3", "HUPWATCH_MARK=other",
	}}, c)
	for name, want := range map[string]string{
		"A": "first", "B": "second", "C": "own second and nothing", "E": "${A}", "KEPT": "yes", "kept.too": "yes", "log.level": "info", "spring.datasource.url": "jdbc:x",
		"AWS_SECRET": "(unset)", "NOTIFY_SOCKET": "(unset)", "LISTEN_FDS": "(unset)", "HUPWATCH_MARK": "(unset)",
	} {
		if got := variable(r, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !slices.IsSorted(r.Env) {
		t.Errorf("the environment is in no order: %v", r.Env)
	}
}

func TestArgumentsAreExpanded(t *testing.T) {
	dir := host(t)
	c := &config.Service{
		Name: "web", WorkingDir: filepath.Join(dir, "1"),
		Command: []string{"${BIN}/server", "--port=${PORT:-80}", "--generation=${HUPWATCH_GENERATION}", "$$"}, Environment: map[string]string{"BIN": "bin"},
	}
	r := resolve(t, release.Resolver{}, c)
	argv, err := r.Argv([]string{"HUPWATCH_GENERATION=7"})
	want := []string{filepath.Join(dir, "1/bin/server"), "--port=80", "--generation=7", "$"}
	if err != nil || !slices.Equal(argv, want) {
		t.Errorf("argv is %q, %v; want %q", argv, err, want)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	dir := host(t)
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	good := &config.Service{Name: "web", Command: []string{"bin/server"}, WorkingDir: filepath.Join(dir, "1")}
	cases := []struct {
		name   string
		change func(c *config.Service)
		want   string
	}{
		{"directory", func(c *config.Service) { c.WorkingDir = filepath.Join(dir, "3") }, "working_dir " + filepath.Join(dir, "3") + ": no such file or directory"},
		{"no directory", func(c *config.Service) { c.WorkingDir = filepath.Join(dir, "plain") }, "it is not a directory"},
		{"binary", func(c *config.Service) { c.Command = []string{"bin/other"} }, "command: " + filepath.Join(dir, "1/bin/other") + ": no such file or directory"},
		{"not executable", func(c *config.Service) { c.Command = []string{"../plain"} }, "chmod +x"},
		{"a directory as binary", func(c *config.Service) { c.Command = []string{"./bin"} }, "it is a directory"},
		{"not in PATH", func(c *config.Service) { c.Command = []string{"surely-not-there"} }, `no program "surely-not-there" in PATH=`},
		{"env file", func(c *config.Service) { c.EnvFiles = []config.EnvFile{{Path: filepath.Join(dir, "none")}} }, "env_file " + filepath.Join(dir, "none")},
		{"variable", func(c *config.Service) { c.Environment = map[string]string{"A": "${NOWHERE}"} }, "environment.A: "},
		{"variable of the command", func(c *config.Service) { c.Command = []string{"bin/server", "${NOWHERE}"} }, "NOWHERE"},
		{"user", func(c *config.Service) { c.User = "surely-nobody" }, "user surely-nobody: no such user on this host"},
		{"group", func(c *config.Service) { c.Group = "surely-none" }, "group surely-none: no such group on this host"},
	}
	for _, miss := range cases {
		t.Run(miss.name, func(t *testing.T) {
			c := *good
			miss.change(&c)
			_, err := release.Resolver{}.Resolve(&c)
			if err == nil || !strings.Contains(err.Error(), miss.want) {
				t.Errorf("error is %v, want %q in it", err, miss.want)
			}
		})
	}
}

func TestAReleaseIsUsableWhileItsDirectoryAndBinaryAreThere(t *testing.T) {
	dir := host(t)
	r := resolve(t, release.Resolver{}, &config.Service{Name: "web", Command: []string{"bin/server"}, WorkingDir: filepath.Join(dir, "current")})
	link(t, "2", filepath.Join(dir, "current"))
	if same, err := (release.Resolver{}).Again(r); err != nil || same != r {
		t.Errorf("not usable, though nothing of it changed: %v", err)
	}
	if err := os.Remove(r.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := (release.Resolver{}).Again(r); err == nil || !strings.Contains(err.Error(), "bin/server: no such file") {
		t.Errorf("without its binary: %v", err)
	}
}

// After a reboot a release is started from its own directory, wherever the link leads.
func TestAReleaseThatWasWrittenDownIsEquippedAnew(t *testing.T) {
	dir := host(t)
	env := filepath.Join(dir, "env")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(env, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("A=secret\n")
	c := &config.Service{Name: "web", Command: []string{"bin/server", "${A}"}, WorkingDir: filepath.Join(dir, "current"), EnvFiles: []config.EnvFile{{Path: env}}}
	r := resolve(t, release.Resolver{}, c)
	stored := &release.Release{Service: c, Dir: r.Dir, Path: r.Path, Program: r.Program, Stored: release.NewStored("salt", r.Env)}
	link(t, "2", filepath.Join(dir, "current"))
	again, err := release.Resolver{}.Again(stored)
	if err != nil || !again.Same(r) || !slices.Equal(again.Env, r.Env) {
		t.Errorf("it is %+v, %v, want %+v", again, err, r)
	}
	write("A=another\n")
	if again, err = (release.Resolver{}).Again(stored); err != nil || again.Same(r) || !slices.Contains(again.Env, "A=another") {
		t.Errorf("with another env file it is %+v, %v", again, err)
	}
	if err := os.Remove(env); err != nil {
		t.Fatal(err)
	}
	if _, err = (release.Resolver{}).Again(stored); err == nil || !strings.Contains(err.Error(), "env_file") {
		t.Errorf("without its env file: %v", err)
	}
}

func TestANumberTooLongForAnAccountIsNotRoot(t *testing.T) {
	t.Parallel()
	for _, c := range []*config.Service{
		{Command: []string{"/bin/sh"}, User: "4294967296", Group: "4294967296"},
		{Command: []string{"/bin/sh"}, User: "4294967295", Group: "0"}, // "leave it as it is" to the kernel
		{Command: []string{"/bin/sh"}, User: "0", Group: "4294967296"},
	} {
		if release, err := (release.Resolver{Dir: "/"}).Resolve(c); err == nil {
			t.Errorf("user %s, group %s: runs as %+v, want an error", c.User, c.Group, release.Credential)
		}
	}
}

func TestEnvironmentMayNameWhatDiffersFromOneGenerationToTheNext(t *testing.T) {
	c := &config.Service{
		Name: "web", Command: []string{"/bin/sh", "${PORT}", "${AT}"}, Publish: "/run/web.sock",
		Environment: map[string]string{"PORT": "800${HUPWATCH_INSTANCE}", "AT": "unix:${HUPWATCH_BIND}"},
	}
	r := resolve(t, release.Resolver{}, c)
	argv, err := r.Argv([]string{"HUPWATCH_INSTANCE=2", "HUPWATCH_BIND=/run/web.sock.d/7.sock"})
	if want := []string{"8002", "unix:/run/web.sock.d/7.sock"}; err != nil || !slices.Equal(argv[1:], want) {
		t.Errorf("argv is %q, %v, want %q", argv, err, want)
	}
}
