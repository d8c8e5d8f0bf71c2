package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNameFileIsRemovedEvenIfItIsBad(t *testing.T) {
	write := func(mode fs.FileMode, text string) func(string) error {
		return func(path string) error {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return err
			}
			return os.Chmod(path, mode)
		}
	}
	cases := []struct {
		name string
		make func(path string) error
		want string // of the error
	}{
		{"good", write(0o600, "web\n"), ""},
		{"readable by all", write(0o644, "web\n"), ""},
		{"missing", func(string) error { return nil }, "there is none; write the names"},
		{"empty", write(0o600, ""), "it names no service"},
		{"writable by the group", write(0o620, "web\n"), "write it again under umask 022"},
		{"writable by others", write(0o602, "web\n"), "write it again under umask 022"},
		{"a link", func(path string) error { return os.Symlink("/etc/passwd", path) }, "it is a symbolic link"},
		{"a second name", func(path string) error {
			return errors.Join(write(0o600, "web\n")(path), os.Link(path, path+".other"))
		}, "hard link"},
		{"a FIFO", func(path string) error { return unix.Mkfifo(path, 0o600) }, "it is not a plain file"},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o700) }, "it is not a plain file"},
		{"far too long", write(0o600, strings.Repeat("web\n", nameFileMax/4+1)), "it is longer than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "reload")
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			names, err := claimNameFile(path)
			switch {
			case c.want == "" && (err != nil || !slices.Equal(names, []string{"web"})):
				t.Errorf("names are %q, %v", names, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
			left, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range left {
				if !strings.HasSuffix(entry.Name(), ".other") {
					t.Errorf("%s is left behind", entry.Name())
				}
			}
		})
	}
}

func TestANameFileOfSomebodyElseIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write one")
	}
	path := filepath.Join(t.TempDir(), "reload")
	if err := os.WriteFile(path, []byte("web\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := claimNameFile(path); err == nil || !strings.Contains(err.Error(), "it belonged to uid 12345") {
		t.Errorf("error is %v, want whose it is", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
