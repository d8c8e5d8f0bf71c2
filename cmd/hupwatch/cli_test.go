package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// output runs a command to its end and returns all it prints, and its exit code.
func output(cmd *exec.Cmd) (string, int) {
	text, _ := cmd.CombinedOutput()
	return string(text), exitCode(cmd.ProcessState)
}

func TestCommandLineHasItsExitCodeAndMessage(t *testing.T) {
	t.Parallel()
	good := filepath.Join(t.TempDir(), "good.toml")
	bad := filepath.Join(t.TempDir(), "bad.toml")
	odd := filepath.Join(t.TempDir(), "odd.toml")
	for file, text := range map[string]string{
		good: "[services.web]\ncommand = [\"true\"]\n",
		bad:  "[services.web]\ncmd = [\"true\"]\n[services.\"bad name\"]\n",
		odd: "[services.web]\ncommand = [\"/no/such/program\"]\nuser = \"nobody-at-all\"\n" +
			"[services.dir]\ncommand = [\"true\"]\nworking_dir = \"gone\"\n[services.env]\ncommand = [\"true\"]\nenv_file = [\"gone.env\"]\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stdout []string
		stderr []string
	}{
		{"check of a good file", []string{"check", "-c", good}, 0, nil, []string{"good, 1 service"}},
		{"-t -c of a good file", []string{"-t", "-c", good}, 0, nil, []string{"good, 1 service"}},
		{"check of a bad file", []string{"check", "-c", bad}, 2, []string{bad + ":2: services.web.cmd: unknown key, did you mean command?", "bad name"}, nil},
		{"-t -c of a bad file", []string{"-t", "-c", bad}, 2, []string{bad + ":2: services.web.cmd: "}, nil},
		{"-c of a bad file", []string{"-c", bad}, 78, nil, []string{bad + ":2: services.web.cmd: "}},
		{"check of what the host lacks", []string{"check", "-c", odd}, 0, []string{
			"warning: services.web: user nobody-at-all: no such user", "warning: services.dir: working_dir", "warning: services.env: env_file",
		}, nil},
		{"strict check of what the host lacks", []string{"check", "--strict", "-c", odd}, 2, []string{"warning: "}, []string{"--strict allows none"}},
		{"strict check of a good file", []string{"check", "--strict", "-c", good}, 0, nil, []string{"good, 1 service"}},
		{"check in JSON", []string{"check", "--json", "-c", bad}, 2, []string{`{"file":"` + bad + `","line":2,"key":"services.web.cmd","text":"unknown key, did you mean command?","warning":false}`}, nil},
		{"check of no file", []string{"check", "-c", "/no/such/file.toml"}, 2, []string{"/no/such/file.toml: "}, nil},
		{"-c of no file", []string{"-c", "/no/such/file.toml"}, 78, nil, []string{"/no/such/file.toml: "}},
		{"nothing", nil, 64, nil, []string{"-c FILE is missing"}},
		{"-c without a file", []string{"-c"}, 64, nil, []string{"-c"}},
		{"-c with more behind", []string{"-c", good, "web"}, 64, nil, []string{`a command goes behind a --`}},
		{"unknown command", []string{"relaod"}, 2, nil, []string{`"relaod": no such command`}},
		{"unknown option", []string{"-z"}, 64, nil, []string{"-z"}},
		{"-t with more behind", []string{"-t", "-c", good, "web"}, 2, nil, []string{"too many arguments"}},
		{"unknown option of check", []string{"check", "-z"}, 2, nil, []string{"-z"}},
		{"version", []string{"version"}, 0, []string{"hupwatch "}, nil},
		{"help", []string{"help"}, 0, []string{"hupwatch -c FILE", "kill -HUP"}, nil},
		{"-h", []string{"-h"}, 0, []string{"hupwatch -c FILE"}, nil},
		{"check -h", []string{"check", "-h"}, 0, []string{"hupwatch -c FILE"}, nil},
	} {
		var stdout, stderr bytes.Buffer
		cmd := hupwatch(c.args...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		if code := exitCode(cmd.ProcessState); code != c.code {
			t.Errorf("%s: exit code %d, want %d\n%s%s", c.name, code, c.code, &stdout, &stderr)
		}
		for _, want := range c.stdout {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%s: stdout is %q, want %q in it", c.name, &stdout, want)
			}
		}
		for _, want := range c.stderr {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%s: stderr is %q, want %q in it", c.name, &stderr, want)
			}
		}
		if c.code != exitDone && c.stdout == nil && stdout.Len() > 0 {
			t.Errorf("%s: stdout is %q, want nothing", c.name, &stdout)
		}
	}
}
