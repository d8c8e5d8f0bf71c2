package config_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hupwatch/config"
)

var update = flag.Bool("update", false, "write what the golden files should hold")

// TestEveryMistakeIsReportedWithItsLineAndRemedy parses each file of testdata
// and compares the problems, or the configuration where there are none, with
// the golden file beside it.
func TestEveryMistakeIsReportedWithItsLineAndRemedy(t *testing.T) {
	files, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the test files: %v, %v", files, err)
	}

	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}

			got := parsed(t, text)
			golden := strings.TrimSuffix(file, ".toml") + ".golden"
			if *update {
				write(t, golden, got)
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// parsed returns the problems of a text, and the configuration as JSON.
func parsed(t *testing.T, text []byte) string {
	t.Helper()

	cfg, problems := config.Parse("/etc/hupwatch.toml", text, fixedEnv)
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	if cfg != nil {
		j, err := json.MarshalIndent(cfg, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(j, '\n'))
	}
	return b.String()
}

// fixedEnv does not say who runs the tests: XDG_RUNTIME_DIR counts only for
// those who are not root.
func fixedEnv(name string) (string, bool) {
	value, ok := map[string]string{"CONF": "/srv/conf", "XDG_RUNTIME_DIR": "/run"}[name]
	return value, ok
}

func TestParseReadsNoFiles(t *testing.T) {
	cfg, problems := config.Parse("/nowhere/hupwatch.toml", []byte(`include = ["/nowhere/missing.toml"]`), noEnv)
	if cfg == nil || len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
}

func TestServicesAreFoundByName(t *testing.T) {
	cfg, problems := config.Parse("x.toml", []byte("[services.b]\ncommand = \"b\"\n[services.a]\ncommand = \"a\""), noEnv)
	if cfg == nil {
		t.Fatal(problems)
	}
	if s, ok := cfg.Service("b"); !ok || s.Name != "b" {
		t.Errorf("got %v, %v", s, ok)
	}
	if _, ok := cfg.Service("c"); ok {
		t.Error("there is no service c")
	}
	if cfg.Services[0].Name != "a" {
		t.Error("the services are not in the order of their names")
	}
}

// TestServicesOfOneDefaultDoNotShare holds on to what merging into the maps and
// slices of the defaults would break.
func TestServicesOfOneDefaultDoNotShare(t *testing.T) {
	cfg, problems := config.Parse("x.toml", []byte(`
[defaults]
environment = { A = "0" }
limits = { core = 0 }
[services.a]
command = "a"
environment = { A = "1", B = "1" }
limits = { core = 1, nofile = 1 }
[services.b]
command = "b"
`), noEnv)
	if cfg == nil {
		t.Fatal(problems)
	}
	b, _ := cfg.Service("b")
	if len(b.Environment) != 1 || b.Environment["A"] != "0" || len(b.Limits) != 1 || b.Limits[0].Soft != 0 {
		t.Errorf("service b has what was written for a: %+v", b)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.toml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add(config.Example())

	f.Fuzz(func(t *testing.T, text []byte) {
		cfg, problems := config.Parse("/etc/hupwatch.toml", text, fixedEnv)
		again, sameProblems := config.Parse("/etc/hupwatch.toml", text, fixedEnv)
		if !reflect.DeepEqual(cfg, again) || !slices.Equal(problems, sameProblems) {
			t.Errorf("the second time gave\n%v\nnot\n%v", sameProblems, problems)
		}

		fatal := false
		last := 0
		for _, p := range problems {
			fatal = fatal || !p.Warning
			if p.Line < max(last, 1) || p.Line > strings.Count(string(text), "\n")+1 || p.Text == "" || p.File != "/etc/hupwatch.toml" {
				t.Errorf("odd problem %+v", p)
			}
			last = p.Line
		}
		if fatal != (cfg == nil) {
			t.Errorf("configuration %v with problems\n%v", cfg, problems)
		}
		if cfg != nil {
			checkPromises(t, cfg)
		}
	})
}

// checkPromises checks what config.go says of a configuration.
func checkPromises(t *testing.T, cfg *config.Config) {
	t.Helper()

	j, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var back config.Config
	if err := json.Unmarshal(j, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(back); string(again) != string(j) {
		t.Errorf("JSON came back as\n%s\nnot\n%s", again, j)
	}

	if d := cfg.Daemon; !filepath.IsAbs(d.RuntimeDir) || !filepath.IsAbs(d.NameFile) || d.MaxParallel < 1 || d.ShutdownTimeout < 0 {
		t.Errorf("daemon %+v", d)
	}
	for i, s := range cfg.Services {
		if i > 0 && cfg.Services[i-1].Name >= s.Name {
			t.Errorf("service %q comes after %q", s.Name, cfg.Services[i-1].Name)
		}
		if len(s.Command) == 0 || s.Command[0] == "" || s.WorkingDir != "" && !filepath.IsAbs(s.WorkingDir) ||
			s.RestartMaxDelay < s.RestartDelay || s.RestartDelay <= 0 || s.StopTimeout < 0 || s.StartTimeout <= 0 || s.MaxDraining < 1 ||
			s.Umask < -1 || s.Umask > 0o777 || s.StopSignal < 1 {
			t.Errorf("service %+v", s)
		}
		for _, o := range []config.Output{s.Output, s.Stderr} {
			path, file := o.File()
			if file && !filepath.IsAbs(path) || !file && !slices.Contains([]config.Output{"", "prefix", "inherit", "null"}, o) {
				t.Errorf("output %q", o)
			}
		}
		if s.Output == "" || s.OutputMaxSize < 0 || s.OutputBackups < 0 {
			t.Errorf("service %+v", s)
		}
		checkGenerations(t, s)
		for _, l := range s.Listen {
			if l.Network == "" || l.Address == "" || l.Name == "" || l.Backlog < 1 || l.Mode < -1 || l.Mode > 0o777 {
				t.Errorf("listener %+v", l)
			}
		}
	}
}

// checkGenerations checks what is said of how generations follow each other.
func checkGenerations(t *testing.T, s *config.Service) {
	t.Helper()

	modes := []config.ReloadMode{config.ReloadStartFirst, config.ReloadStopFirst, config.ReloadSignal}
	if s.Instances < 1 || s.Instances > 1000 || s.Overlap < 0 || s.ReloadSignal < 1 || !slices.Contains(modes, s.Reload) {
		t.Errorf("service %+v", s)
	}
	if s.Publish != "" && (!filepath.IsAbs(s.Publish) || s.Instances > 1 || s.Reload == config.ReloadSignal || len(config.BindPath(s.Publish, 1<<31-1)) > 107) {
		t.Errorf("service %+v", s)
	}
	for _, argv := range [][]string{s.BeforeStart, s.BeforeStop, s.AfterReload} {
		if len(argv) > 0 && argv[0] == "" {
			t.Errorf("hook %q", argv)
		}
	}
	for i, name := range s.DependsOn {
		if slices.Contains(s.DependsOn[:i], name) || name == s.Name {
			t.Errorf("service %q depends on %q", s.Name, s.DependsOn)
		}
	}
	if s.Ready != nil {
		checkReady(t, s)
	}
}

func checkReady(t *testing.T, s *config.Service) {
	t.Helper()

	r := s.Ready
	if r.Kind == config.ReadyWarmup {
		if !reflect.DeepEqual(r, &config.Ready{Kind: config.ReadyWarmup}) {
			t.Errorf("ready %+v", r)
		}
		return
	}
	if r.Interval <= 0 || r.Timeout <= 0 || r.Timeout == config.Infinity {
		t.Errorf("ready %+v", r)
	}
	says := map[config.ReadyKind]bool{
		config.ReadyHTTP: r.URL != "", config.ReadyTCP: r.Address != "", config.ReadyUnix: r.Address != "",
		config.ReadyExec: len(r.Exec) > 0 && r.Exec[0] != "", config.ReadyNotify: true, config.ReadyFD: r.FD >= 3+len(s.Listen),
	}
	if !says[r.Kind] || r.Kind != config.ReadyHTTP && r.Headers != nil {
		t.Errorf("ready %+v", r)
	}
}
