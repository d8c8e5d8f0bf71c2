package sockets_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/services/sockets"
)

func start(t *testing.T, g *sockets.Guard, s *sockets.Set, publics, theirs []string) {
	t.Helper()
	t.Cleanup(g.Stop)
	if err := g.Start(nil, s, publics, theirs, func() {}); err != nil {
		t.Fatal(err)
	}
}

func repair(t *testing.T, g *sockets.Guard, want ...string) {
	t.Helper()
	got, err := g.Repair()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("repaired %q, %v; want %q", got, err, want)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// listenAt is a server that opens a path itself, and leaves it.
func listenAt(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	return l
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestAPathThatAServerRemovedIsPutBack(t *testing.T) {
	s, l := newSet(t), path(t)
	fd := open(t, s, l)[0]
	before := inode(t, l.Address)
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	repair(t, &g)
	for range 3 {
		remove(t, l.Address)
		repair(t, &g, l.Address)
		if inode(t, l.Address) != before {
			t.Error("another socket is there")
		}
		if err := dial(t, fd); err != nil {
			t.Error(err)
		}
	}
	g.Stop()
	if got := names(t, filepath.Dir(l.Address)); got != "s" {
		t.Errorf("there are %q when nothing is guarded any more", got)
	}
	g.Stop()
	repair(t, &g)
}

func TestASocketThatAServerPutInThePlaceOfHupwatchsGoes(t *testing.T) {
	s, l := newSet(t), path(t)
	open(t, s, l)
	before := inode(t, l.Address)
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	remove(t, l.Address)
	listenAt(t, l.Address)
	repair(t, &g, l.Address)
	if inode(t, l.Address) != before {
		t.Error("the other one is still there")
	}
	if got := names(t, filepath.Dir(l.Address)); got != ".s.hupwatch-kept s" {
		t.Errorf("there are %q", got)
	}
}

func TestAFileThatIsNoSocketStays(t *testing.T) {
	s, l := newSet(t), path(t)
	open(t, s, l)
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	remove(t, l.Address)
	if err := os.WriteFile(l.Address, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := g.Repair()
	wantError(t, err, "guard "+l.Address+": there is a file that is no socket")
	repair(t, &g) // said already
	remove(t, l.Address)
	repair(t, &g, l.Address)
	if err := os.Rename(l.Address, l.Address+"2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(l.Address, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = g.Repair()
	wantError(t, err, "no socket")
}

// A server that goes by a path of its own has replaced hupwatch's at its start, and
// clients know no other.
func TestASocketThatWasReplacedBeforeIsNotForcedBack(t *testing.T) {
	s, l := newSet(t), path(t)
	open(t, s, l)
	remove(t, l.Address)
	listenAt(t, l.Address)
	theirs := inode(t, l.Address)
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	repair(t, &g)
	remove(t, l.Address)
	repair(t, &g, l.Address)
	if inode(t, l.Address) != theirs {
		t.Error("it is not theirs any more")
	}
}

func TestAServersOwnPathIsPutBackButANewOneStays(t *testing.T) {
	p := path(t).Address
	listenAt(t, p)
	before := inode(t, p)
	var g sockets.Guard
	s := newSet(t)
	start(t, &g, s, nil, []string{p, "@abstract"})
	remove(t, p)
	repair(t, &g, p)
	if inode(t, p) != before {
		t.Error("another socket is there")
	}

	remove(t, p)
	listenAt(t, p)
	newer := inode(t, p)
	repair(t, &g)
	if inode(t, p) != newer {
		t.Error("the newer one is gone")
	}
	start(t, &g, s, nil, []string{p}) // another one drains now
	remove(t, p)
	repair(t, &g, p)
	if inode(t, p) != newer {
		t.Error("it is not the newer one")
	}
	remove(t, p)
	start(t, &g, s, nil, []string{p}) // right in between
	repair(t, &g, p)
	g.Stop()
	if got := names(t, filepath.Dir(p)); got != "s" {
		t.Errorf("there are %q when nothing is guarded any more", got)
	}
	remove(t, p)
	wantError(t, g.Start(nil, s, nil, []string{p}, func() {}), "guard "+p+": there is nothing")
}

func TestAPublicPathIsPutBack(t *testing.T) {
	p := newPublished(t)
	p.start(1)
	s := newSet(t)
	var g sockets.Guard
	start(t, &g, s, []string{p.public}, nil)
	remove(t, p.public)
	p.wantAnswer(0)
	repair(t, &g, p.public)
	p.wantAnswer(1)

	p.start(2) // hupwatch's own doing
	start(t, &g, s, []string{p.public}, nil)
	repair(t, &g)
	p.wantAnswer(2)
	if err := sockets.Publish(p.public, p.bind(1)); err != nil {
		t.Fatal(err)
	}
	repair(t, &g, p.public)
	p.wantAnswer(2)

	remove(t, p.public)
	if err := os.WriteFile(p.public, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := g.Repair()
	wantError(t, err, "no socket")
	g.Stop()
	p.wantNames("web.sock web.sock.d", "1.sock 2.sock")
}

func TestAPublicPathThatIsGoneWhenTheGuardStartsAgainIsPutBack(t *testing.T) {
	p := newPublished(t)
	p.start(1)
	s := newSet(t)
	var g sockets.Guard
	start(t, &g, s, []string{p.public}, nil)
	remove(t, p.public)
	start(t, &g, s, []string{p.public}, nil)
	repair(t, &g, p.public)
	p.wantAnswer(1)
}

func TestTheSecondNamesOfAKilledHupwatchAreReplaced(t *testing.T) {
	s, l := newSet(t), path(t)
	leftover := filepath.Join(filepath.Dir(l.Address), ".s.hupwatch-kept")
	listenAt(t, leftover)
	open(t, s, l)
	if got := names(t, filepath.Dir(l.Address)); got != "s" {
		t.Errorf("there are %q after the socket was opened", got)
	}
	listenAt(t, leftover)
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	if inode(t, leftover) != inode(t, l.Address) {
		t.Error("the second name is of another file")
	}
}

func TestWhereNoSecondNameCanBeTheRestIsGuarded(t *testing.T) {
	s, a, b := newSet(t), path(t), path(t)
	open(t, s, a, b)
	if err := os.Mkdir(filepath.Join(filepath.Dir(a.Address), ".s.hupwatch-kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	var g sockets.Guard
	defer g.Stop()
	err := g.Start(nil, s, nil, nil, func() {})
	wantError(t, err, "guard "+a.Address+": remove .s.hupwatch-kept")
	if strings.Contains(err.Error(), b.Address) {
		t.Errorf("the other one is in it: %v", err)
	}
	remove(t, a.Address)
	remove(t, b.Address)
	repair(t, &g, b.Address)
}

func TestASecondNameThatIsGoneIsSaidOnce(t *testing.T) {
	s, l := newSet(t), path(t)
	open(t, s, l)
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	remove(t, l.Address)
	remove(t, filepath.Join(filepath.Dir(l.Address), ".s.hupwatch-kept"))
	_, err := g.Repair()
	wantError(t, err, "so is its second name: reload")
	repair(t, &g)
	if err := dial(t, open(t, s, l)[0]); err != nil {
		t.Errorf("the remedy: %v", err)
	}
}

// A reload may come between the removal and its repair. It must not open another
// socket, for the one that serves has this one.
func TestAReloadFindsAGuardedPathAsItWas(t *testing.T) {
	s, l := newSet(t), path(t)
	fd := open(t, s, l)[0]
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	remove(t, l.Address)
	if again := open(t, s, l)[0]; again != fd {
		t.Error("the socket is another one")
	}
	if err := dial(t, fd); err != nil {
		t.Error(err)
	}
}

func TestASocketThatTheSetClosedIsNotPutBack(t *testing.T) {
	s, a, b := newSet(t), path(t), path(t)
	open(t, s, a, b)
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	if err := s.Keep([]config.Listen{b}); err != nil {
		t.Fatal(err)
	}
	repair(t, &g)
	start(t, &g, s, nil, nil)
	if got := names(t, filepath.Dir(a.Address)); got != "" {
		t.Errorf("there are %q, whose socket was closed", got)
	}
	remove(t, b.Address)
	repair(t, &g, b.Address)
}

// freePort returns an address whose port is chosen, for one of the kernel's choice
// is lost with a shutdown.
func freePort(t *testing.T) config.Listen {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return tcp("tcp", l.Addr().String())
}

func TestATCPSocketThatAProcessShutDownListensAgain(t *testing.T) {
	s, l := newSet(t), freePort(t)
	fd := open(t, s, l)[0]
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	shutdown := func() {
		t.Helper()
		if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
			t.Skipf("shut down: %v", err)
		}
		if dial(t, fd) == nil {
			t.Fatal("it listens still")
		}
	}
	shutdown()
	repair(t, &g, "tcp "+l.Address)
	if err := dial(t, fd); err != nil {
		t.Error(err)
	}
	repair(t, &g)

	shutdown() // and a reload is as good
	if again := open(t, s, l)[0]; again != fd {
		t.Error("the socket is another one")
	}
	if err := dial(t, fd); err != nil {
		t.Error(err)
	}
}

func TestABacklogThatAServerChangedIsSetAgain(t *testing.T) {
	s, l := newSet(t), path(t)
	l.Backlog = 20
	fd := open(t, s, l)[0]
	var g sockets.Guard
	start(t, &g, s, nil, nil)
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	repair(t, &g)
	for n := range 15 {
		c, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(c)
		if err := errors.Join(unix.SetNonblock(c, true), unix.Connect(c, &unix.SockaddrUnix{Name: l.Address})); err != nil {
			t.Fatalf("connection %d: %v", n, err)
		}
	}
}
