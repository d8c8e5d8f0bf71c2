package trusted_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/trusted"
)

// Who may write to a directory on the way could lead root anywhere by it.
func TestADirectoryIsNotReachedThroughALinkOfSomebodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a link away")
	}
	dir := t.TempDir()
	for _, name := range []string{"secret", "logs"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, target string, uid int) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(filepath.Join(dir, name), uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	link("ours", "logs", 0)
	link("absolute", filepath.Join(dir, "logs"), 0)
	link("theirs", "secret", 65534)
	link("first", "second", 0)
	link("second", "theirs", 0)
	link("loop", "loop", 0)
	for path, want := range map[string]string{
		"logs": "", "ours": "", "absolute": "", "ours/../logs": "",
		"theirs": "link of uid 65534", "first": "link of uid 65534", "theirs/../secret": "link of uid 65534",
		"loop": "too many levels", "none": "no such file",
	} {
		fd, err := trusted.Directory(filepath.Join(dir, ".") + "/" + path)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", path, err, want)
		case err == nil:
			unix.Close(fd)
		}
	}
}
