package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/runner/state"
	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
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

// What could not be seen when hupwatch ran will not be seen when it runs next.
func TestHostFactsWarnOfServicesThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listen := []config.Listen{{Network: "tcp", Address: "127.0.0.1:1"}}
	c := &config.Config{File: filepath.Join(dir, "x.toml"), Daemon: config.Daemon{StateDir: dir}}
	for _, name := range []string{"blind", "seen", "asked", "alone"} {
		c.Services = append(c.Services, &config.Service{Name: name, Command: []string{"/bin/sh"}, Output: config.OutputNull, Listen: listen})
	}
	c.Services[2].Ready, c.Services[3].Listen = &config.Ready{Kind: config.ReadyNotify}, nil

	archive, _ := state.OpenArchive(filepath.Join(dir, archiveFile), c.File, func(err error) { t.Error(err) })
	for _, name := range []string{"blind", "asked", "alone"} {
		archive.Keep(name, lifecycle.Record{Waiting: lifecycle.Waiting{Unseen: "it uses io_uring"}})
	}
	archive.Close(time.Minute)
	var got []string
	for _, p := range HostFacts(c) {
		got = append(got, p.String())
	}
	if process.CannotLook() != "" {
		t.Skip("nothing is seen here at all")
	}
	if len(got) != 1 || !strings.Contains(got[0], "services.blind: what a new generation does cannot be seen") || !strings.Contains(got[0], "io_uring") {
		t.Errorf("got %q", got)
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
