package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The volumes of a pod are like this.
func TestADirectoryOfOursIsClosedToOthers(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o777, 0o775 | os.ModeSetgid, 0o733} {
		dir := filepath.Join(t.TempDir(), "run")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "pid"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		note, err := ownDirectory("runtime_dir", dir)
		if err != nil || !strings.Contains(note, "let others write") {
			t.Errorf("%v: %q, %v", mode, note, err)
		}
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != mode.Perm()&^0o022 || info.Mode()&os.ModeSetgid != mode&os.ModeSetgid {
			t.Errorf("%v is %v now", mode, info.Mode())
		}
		if note, err := ownDirectory("runtime_dir", dir); note != "" || err != nil {
			t.Errorf("once more: %q, %v", note, err)
		}
	}
}

func TestADirectoryInWhichOthersWroteIsRefusedAsItWas(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a file of somebody else")
	}
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	strange := filepath.Join(dir, "control.sock")
	if err := os.WriteFile(strange, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(strange, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := ownDirectory("runtime_dir", dir)
	if err == nil || !strings.Contains(err.Error(), "uid 65534 has made control.sock") || !strings.Contains(err.Error(), dir+"/hupwatch") {
		t.Errorf("it says %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}
