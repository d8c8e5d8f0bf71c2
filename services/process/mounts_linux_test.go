package process

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMountsThatMayHangAreKnown(t *testing.T) {
	got := parseMounts([]byte(`22 1 254:0 / / rw,relatime - ext4 /dev/root rw
23 22 0:21 / /proc rw shared:5 - proc proc rw
50 22 0:40 / /srv/two\040words rw,relatime shared:5 master:1 - nfs4 host:/x rw,vers=4.2
51 22 0:41 / /mnt/s3 rw - fuse.s3fs s3 rw
nonsense
`))
	if want := []string{"/srv/two words", "/mnt/s3"}; !slices.Equal(got, want) {
		t.Errorf("parseMounts: %q, want %q", got, want)
	}
}

func TestPathsAreFollowedToWhereTheyMayHang(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	distant := filepath.Join(dir, "distant")
	link := func(name, target string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("absolute", distant+"/bin")
	link("relative", "./absolute")
	link("up", "../"+filepath.Base(dir)+"/distant")
	link("near", "/proc")
	link("loop", "loop")

	for path, want := range map[string]bool{
		"/distantly":       true,
		"/near/../near/me": true,
		"/missing/file":    true,
		"/distant":         false,
		"/distant/x":       false,
		"/a/../distant//x": false,
		"/absolute":        false,
		"/relative/x":      false,
		"/up/bin":          false,
		"/loop":            false,
	} {
		if got := reach(dir+path, []string{"/mnt/other", distant}); got != want {
			t.Errorf("reach(%s) is %v, want %v", path, got, want)
		}
	}
	if reach("/bin", []string{"/"}) {
		t.Error("with a distant root nothing is near")
	}
}

func TestInterpretersCount(t *testing.T) {
	for text, want := range map[string]string{
		"#!/opt/venv/bin/python -u\n": "/opt/venv/bin/python",
		"#! /bin/sh":                  "/bin/sh",
		"#!\n":                        "",
		"\x7fELF":                     "",
		"":                            "",
	} {
		path := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if got := shebang(path); got != want {
			t.Errorf("shebang of %q: %q, want %q", text, got, want)
		}
	}
}

func TestStatIsReadPastAnyName(t *testing.T) {
	const after = ") S 1 4711 4712 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1 18446744073709551615"
	want := stat{state: 'S', group: 4711, session: 4712, start: 987654, pages: 1}
	for _, name := range []string{"cat", "a) Z 2 (b", "new\nline) R 1 2 3", ""} {
		if got, ok := parseStat([]byte("42 (" + name + after)); !ok || got != want {
			t.Errorf("name %q: %+v %v, want %+v", name, got, ok, want)
		}
	}
	if _, ok := parseStat([]byte("42 (cat) S 1")); ok {
		t.Error("half a line was understood")
	}
}
