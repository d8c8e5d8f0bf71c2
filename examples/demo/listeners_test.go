package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestSocketsOfAnotherProcessAreNotTaken(t *testing.T) {
	t.Parallel()
	for name, getenv := range map[string]func(string) string{
		"no variables":    func(string) string { return "" },
		"no LISTEN_PID":   func(key string) string { return map[string]string{"LISTEN_FDS": "1"}[key] },
		"another's":       func(string) string { return "1" },
		"our own, but no": env("0"),
	} {
		listeners, err := inherited(getenv, os.Getpid(), 1<<20)
		if len(listeners) != 0 || err != nil {
			t.Errorf("%s: got %v, %v, want neither a listener nor an error", name, listeners, err)
		}
	}
}

func TestWhatIsNoSocketIsNamed(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"", "two", "-1"} {
		if _, err := inherited(env(n), os.Getpid(), 1<<20); err == nil || !strings.Contains(err.Error(), "LISTEN_FDS") {
			t.Errorf("LISTEN_FDS=%q: error %v, want one that names LISTEN_FDS", n, err)
		}
	}

	fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inherited(env("1"), os.Getpid(), fd); err == nil || !strings.Contains(err.Error(), "inherited fd") {
		t.Errorf("error %v, want one that names the inherited fd", err)
	}
}

func TestThePathOfASocketOutlivesItsListener(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := bind(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Error("the path is gone:", err)
	}
}
