package sockets_test

import (
	"os"
	"path/filepath"
	"testing"

	"hupwatch/services/sockets"
)

// watchedHoldback holds back a path, and returns what waits until a number of things
// happened to it.
func watchedHoldback(t *testing.T, path string) (s *sockets.Holdback, until func(n int)) {
	t.Helper()
	w, _ := newWatch(t)
	events := make(chan struct{}, 1000)
	s = &sockets.Holdback{}
	must(t, s.Start(w, []string{path}, func() { events <- struct{}{} }))
	t.Cleanup(s.Stop)
	return s, func(n int) {
		for range n {
			<-events
		}
	}
}

// Between its unlink and its bind a look finds nothing; it is the bind that counts.
func TestWhatANewServerOpensIsSentBehindTheStageAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.sock")
	openItself(t, path, "old")
	s, until := watchedHoldback(t, path)
	must(t, os.Remove(path))
	until(1)
	must(t, s.Repair())
	openItself(t, path, "new")
	until(1)
	must(t, s.Repair())
	wantAnswer(t, path, "old")
}

func TestModeSetOnThePathGoesToTheServersOwnSocket(t *testing.T) {
	for _, when := range []string{"before a look", "after it"} {
		t.Run(when, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "web.sock")
			openItself(t, path, "old")
			s, until := watchedHoldback(t, path)
			openItself(t, path, "new")
			until(2) // removed and bound
			if when == "after it" {
				must(t, s.Repair())
				until(1) // the old one is back
			}
			must(t, os.Chmod(path, 0o604))
			until(1)
			if when == "before a look" {
				must(t, s.Repair())
				until(1)
			}
			must(t, s.Show())
			wantAnswer(t, path, "new")
			if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o604 {
				t.Errorf("the new socket has mode %v, %v, want 604", info.Mode(), err)
			}
		})
	}
}

// The directory may be the service's user's, who puts there what he likes. Root's
// files are not what it gives his owner and mode to.
func TestNoOtherFileIsGivenTheOwnerAndModeOfThePath(t *testing.T) {
	for name, put := range map[string]func(file, at string) error{"symbolic link": os.Symlink, "another name": os.Link} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			foreign, path := filepath.Join(dir, "shadow"), filepath.Join(dir, "web.sock")
			must(t, os.WriteFile(foreign, nil, 0o600))
			openItself(t, path, "old")
			s, until := watchedHoldback(t, path)
			openItself(t, path, "new")
			until(2)
			must(t, s.Repair())
			until(1)
			must(t, os.Chmod(path, 0o666))
			until(1)
			next := filepath.Join(dir, ".web.sock.hupwatch-next")
			must(t, os.Remove(next))
			must(t, put(foreign, next))
			if err := s.Show(); err == nil {
				t.Error("nothing was told")
			}
			if info, err := os.Stat(foreign); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file has mode %v, %v, want 600", info.Mode(), err)
			}
		})
	}
}
