package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hupwatch/config"
)

func TestAMissingOutputDirectoryIsWarnedOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	service := func(name, output, stderr string) *config.Service {
		return &config.Service{Name: name, Command: []string{"/bin/sh"}, Output: config.Output(output), Stderr: config.Output(stderr)}
	}
	c := &config.Config{File: "x.toml", Services: []*config.Service{
		service("good", dir+"/new.log", "null"),
		service("missing", dir+"/none/a.log", dir+"/none/a.log"),
		service("file", "prefix", file+"/a.log"),
	}}

	var got []string
	for _, p := range HostFacts(c) {
		if !p.Warning {
			t.Errorf("%v is no warning", p)
		}
		got = append(got, p.Key)
	}
	if want := "services.missing.output services.file.stderr"; strings.Join(got, " ") != want {
		t.Errorf("got warnings about %v, want about %s", got, want)
	}
}

func TestAPlaceWhereNoSocketCanBeIsWarnedOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	service := func(name, publish string, listen ...config.Listen) *config.Service {
		return &config.Service{Name: name, Command: []string{"/bin/sh"}, Output: config.OutputNull, Publish: publish, Listen: listen}
	}
	c := &config.Config{File: "x.toml", Services: []*config.Service{
		service("good", dir+"/a.sock", config.Listen{Network: "tcp", Address: "127.0.0.1:1"}, config.Listen{Network: "unix", Address: dir + "/b.sock"}),
		service("missing", dir+"/none/a.sock", config.Listen{Network: "unix", Address: dir + "/none/b.sock"}),
		service("taken", file),
		service("open", "/tmp/a.sock"),
	}}

	var got []string
	for _, p := range HostFacts(c) {
		got = append(got, p.Key)
	}
	if want := "services.missing.listen[0] services.missing.publish services.taken.publish services.open.publish"; strings.Join(got, " ") != want {
		t.Errorf("got warnings about %v, want about %s", got, want)
	}
}
