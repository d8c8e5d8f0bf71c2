package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// listenSomewhere listens on a port of its own until the test ends.
func listenSomewhere(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestBadNameFileReloadsNothing(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve")+service("other", "serve"))
	d.up("web", 1)
	d.up("other", 1)
	elsewhere := d.path("elsewhere")
	write := func(text string, mode os.FileMode) func(string) error {
		return func(path string) error {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return err
			}
			return os.Chmod(path, mode) // whatever the umask is
		}
	}
	for _, bad := range []struct {
		name   string
		make   func(path string) error
		reason string
	}{
		{"missing", func(string) error { return nil }, "write the names of the services into it"},
		{"empty", write("", 0o600), "it names no service"},
		{"blank", write("\n \r\n\t# web\n", 0o600), "it names no service"},
		{"unknown name", write("web\nwbe\n", 0o600), `no such service in ` + d.path("hupwatch.toml") + `: "wbe"`},
		{"a path", write("../web\n", 0o600), `line 1: "../web" is no name`},
		{"two names in a line", write("other\nweb other\n", 0o600), `line 2: "web other" is no name of a service; write one name a line`},
		{"binary", write("web\x00\xff\n", 0o600), "is no name"},
		{"writable by others", write("web\n", 0o666), "write it again under umask 022"},
		{"writable by the group", write("web\n", 0o660), "write it again under umask 022"},
		{"too long", write(strings.Repeat("web\n", 40_000), 0o600), "longer than"},
		{"foreign owner", func(path string) error {
			if err := write("web\n", 0o644)(path); err != nil {
				return err
			}
			return os.Chown(path, 65534, 65534)
		}, "belonged to uid 65534"},
		{"hard link", func(path string) error {
			if err := write("web\n", 0o600)(elsewhere); err != nil {
				return err
			}
			return os.Link(elsewhere, path)
		}, "hard link"},
		{"symbolic link", func(path string) error { return os.Symlink(elsewhere, path) }, "symbolic link; write a plain file"},
		{"dangling link", func(path string) error { return os.Symlink("/no/such/file", path) }, "symbolic link; write a plain file"},
		{"FIFO", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "not a plain file"},
		{"socket", func(path string) error {
			l, err := net.Listen("unix", path)
			if err != nil {
				return err
			}
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			return l.Close()
		}, "plain file"},
		{"directory", func(path string) error { return os.Mkdir(path, 0o700) }, "not a plain file"},
	} {
		if bad.name == "foreign owner" && os.Geteuid() != 0 {
			continue
		}
		if err := bad.make(d.path("run", "reload")); err != nil {
			t.Fatalf("%s: %v", bad.name, err)
		}
		d.signal(syscall.SIGUSR2)
		refused := d.await("msg=reload refused", "by=signal USR2")
		if !strings.Contains(refused["err"], bad.reason) {
			t.Errorf("%s: the reason is %q, want %q in it", bad.name, refused["err"], bad.reason)
		}
		for _, left := range d.entries("run") {
			if strings.Contains(left, "reload") {
				t.Errorf("%s: %s is left", bad.name, left)
			}
		}
	}
	if _, err := os.Stat(elsewhere); err != nil {
		t.Errorf("what a link leads to was touched: %v", err)
	}
	if n := len(d.all("msg=generation started")); n != 2 {
		t.Errorf("%d generations were started, want 2", n)
	}
	d.name("web\n")
	d.up("web", 2)
}

// entries lists a directory below the daemon's.
func (d *daemon) entries(dir string) []string {
	d.t.Helper()
	found, err := os.ReadDir(d.path(dir))
	if err != nil {
		d.t.Fatal(err)
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = f.Name()
	}
	return names
}

func TestDirectoryAsNameFileIsRefusedForAsLongAsItIsThere(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve"))
	d.up("web", 1)
	kept := d.path("run", "reload", "something")
	if err := os.MkdirAll(d.path("run", "reload"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d.signal(syscall.SIGUSR2)
		refused := d.await("msg=reload refused")
		if !strings.Contains(refused["err"], "remove "+d.path("run", "reload")+" by hand") {
			t.Errorf("the reason is %q", refused["err"])
		}
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("what is in the directory was touched: %v", err)
	}
	if err := os.RemoveAll(d.path("run", "reload")); err != nil {
		t.Fatal(err)
	}
	d.name("web\n")
	d.up("web", 2)
}

func TestNameFileReloadsWhatItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c"}
	config := quick
	for _, name := range names {
		config += service(name, "serve")
	}
	d := startDaemon(t, config)
	generations := map[string]int{}
	for _, name := range names {
		generations[name] = 1
		d.up(name, 1)
	}
	for i, c := range []struct {
		text string
		want []string
	}{
		{"a\n", []string{"a"}},
		{"b", []string{"b"}},
		{"c\r\n\r\na\r\n", []string{"a", "c"}},
		{"# all but b\n\n  c  # the last\n\ta\n", []string{"a", "c"}},
		{"b\nb\nb\n", []string{"b"}},
		{"\xef\xbb\xbfb\n", nil}, // a byte order mark is no part of a name
	} {
		d.name(c.text)
		if c.want == nil {
			d.sees("msg=reload refused")
			continue
		}
		d.sees("msg=reload done", fmt.Sprintf("reload=%d", i+1), fmt.Sprintf("promoted=%d", len(c.want)))
		for _, name := range c.want {
			generations[name]++
			d.up(name, generations[name])
		}
		if _, err := os.Lstat(d.path("run", "reload")); err == nil {
			t.Errorf("%q: the file is left", c.text)
		}
	}
	for name, n := range generations {
		if got := len(d.all("msg=generation started", "service="+name)); got != n {
			t.Errorf("%s has generation %d, want %d", name, got, n)
		}
	}
}

func TestNameFileTakesOnlyTheNamedServicesFromTheFile(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve")+service("gone", "serve"))
	d.up("web", 1)
	gone := d.up("gone", 1)
	d.configure(quick + service("web", "say changed; serve") + service("added", "serve") + service("unnamed", "serve"))
	d.name("web\nadded\n")
	d.says("changed", "web", 2)
	d.up("added", 1)
	d.sees("msg=reload done", "promoted=1", "started=1")
	if !alive(gone) || len(d.all("service=unnamed")) > 0 {
		t.Errorf("what the name file does not name was touched")
	}
	d.name("gone\n") // no more in the file
	d.sees("msg=reload refused")
	d.signal(syscall.SIGHUP)
	d.sees("msg=service stopped", "service=gone")
	d.up("unnamed", 1)
}
