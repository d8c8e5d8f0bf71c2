package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNamesAreOneALine(t *testing.T) {
	cases := []struct {
		name, text string
		want       []string
		err        string
	}{
		{"one", "web\n", []string{"web"}, ""},
		{"no newline at the end", "web\nworker", []string{"web", "worker"}, ""},
		{"blanks and comments", "\n # all of them\n web # the site\n\t\nworker\n", []string{"web", "worker"}, ""},
		{"from Windows", "web\r\nworker\r\n", []string{"web", "worker"}, ""},
		{"twice", "web\nweb\n", []string{"web"}, ""},
		{"all characters", "0-a_b.C\n", []string{"0-a_b.C"}, ""},
		{"nothing", "", nil, "it names no service"},
		{"only comments", "# web\n", nil, "it names no service"},
		{"two in a line", "web\nweb worker\n", nil, "line 2"},
		{"no name", "web\n../etc\n", nil, `line 2: "../etc" is no name of a service`},
		{"too long", strings.Repeat("x", 65), nil, "line 1"},
		{"not UTF-8", "\xff\n", nil, `line 1: "?"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			names, err := parseNames([]byte(c.text))
			switch {
			case c.err == "" && (err != nil || !slices.Equal(names, c.want)):
				t.Errorf("names are %q, %v; want %q", names, err, c.want)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("error is %v, want %q in it", err, c.err)
			}
		})
	}
}

// serviceName is what a name may be.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

func FuzzParseNames(f *testing.F) {
	for _, text := range []string{"", "web\n", "web\r\n#x\nworker", "a b", "\xff", strings.Repeat("x", 65)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		names, err := parseNames(text)
		if err != nil {
			if len(names) > 0 || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%q: names %q, error %q", text, names, err)
			}
			return
		}
		again, err := parseNames([]byte(strings.Join(names, "\n")))
		if err != nil || !slices.Equal(names, again) || len(names) == 0 {
			t.Fatalf("%q: names %q, and these are %q, %v", text, names, again, err)
		}
		for _, name := range names {
			if !serviceName.MatchString(name) {
				t.Fatalf("%q: %q is no name", text, name)
			}
		}
	})
}

func TestTheNameFileIsTakenWhateverItIs(t *testing.T) {
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
