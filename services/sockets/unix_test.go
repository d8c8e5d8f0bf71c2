package sockets_test

import (
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/config"
)

func TestServersFindTheRealPath(t *testing.T) {
	l := path(t)
	name, err := unix.Getsockname(open(t, newSet(t), l)[0])
	if a, ok := name.(*unix.SockaddrUnix); err != nil || !ok || a.Name != l.Address {
		t.Errorf("bound to %v, %v; want %s", name, err, l.Address)
	}
}

func TestStalePathIsTakenOver(t *testing.T) {
	l := path(t)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: l.Address})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	if err := dial(t, open(t, newSet(t), l)[0]); err != nil {
		t.Errorf("connect: %v", err)
	}
}

func TestPathsOfOthersAreRefused(t *testing.T) {
	tests := map[string]struct {
		occupy func(path string) error
		want   string
	}{
		"listening": {func(path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		}, "another process listens there: stop it"},
		"datagrams": {func(path string) error {
			l, err := net.ListenPacket("unixgram", path)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		}, "another process listens there: stop it"},
		"a file": {func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) }, "no socket: remove it"},
		"a link": {func(path string) error { return os.Symlink("/nowhere", path) }, "no socket: remove it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := path(t)
			if err := test.occupy(l.Address); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(l.Address)
			if err != nil {
				t.Fatal(err)
			}
			_, err = newSet(t).Open([]config.Listen{l})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open: %v, want %q", err, test.want)
			}
			if after, err := os.Lstat(l.Address); err != nil || !os.SameFile(before, after) {
				t.Errorf("what was there is gone: %v", err)
			}
		})
	}
}
