package process_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"hupwatch/services/process"
)

func TestQueueIsTheConnectionsThatNobodyHasAccepted(t *testing.T) {
	dir, err := os.MkdirTemp("", "q") //nolint:usetesting // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	q := process.QueueAt(os.Getpid(), path)
	want := func(n int) {
		t.Helper()
		if got := q.Waiting(); got != n {
			t.Errorf("%d connections wait, want %d", got, n)
		}
	}
	want(0)
	for range 3 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	want(3)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	want(2)
	if n := process.QueueAt(os.Getpid(), path+"2").Waiting(); n != 0 {
		t.Errorf("%d connections wait at another path", n)
	}
	l.Close()
	want(0)
}
