package sockets_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/services/sockets"
)

func tcp(network, address string) config.Listen {
	return config.Listen{Network: network, Address: address, Mode: -1, Backlog: 16}
}

func path(t *testing.T) config.Listen {
	t.Helper()
	return config.Listen{Network: "unix", Address: filepath.Join(t.TempDir(), "s"), Mode: -1, Backlog: 16}
}

func newSet(t *testing.T) *sockets.Set {
	t.Helper()
	s := new(sockets.Set)
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t *testing.T, s *sockets.Set, listens ...config.Listen) []int {
	t.Helper()
	fds, err := s.Open(listens)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return fds
}

// dial connects to where a socket is bound.
func dial(t *testing.T, fd int) error {
	t.Helper()
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	var c net.Conn
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		c, err = net.Dial("tcp", net.JoinHostPort(net.IP(a.Addr[:]).String(), strconv.Itoa(a.Port)))
	case *unix.SockaddrInet6:
		c, err = net.Dial("tcp", net.JoinHostPort(net.IP(a.Addr[:]).String(), strconv.Itoa(a.Port)))
	case *unix.SockaddrUnix:
		c, err = net.Dial("unix", a.Name)
	}
	if err == nil {
		c.Close()
	}
	return err
}

func option(t *testing.T, fd, level, name int) int {
	t.Helper()
	v, err := unix.GetsockoptInt(fd, level, name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSocketsAcceptAndStayOpen(t *testing.T) {
	s := newSet(t)
	a, b, c := tcp("tcp", "127.0.0.1:0"), tcp("tcp", ":0"), path(t)
	first := open(t, s, a, b, c)
	for _, fd := range first {
		if err := dial(t, fd); err != nil {
			t.Errorf("connect: %v", err)
		}
	}
	second := open(t, s, c, tcp("tcp4", ":0"), a)
	if second[0] != first[2] || second[2] != first[0] {
		t.Errorf("descriptors %v of [c, new, a], want those of [a b c] %v again", second, first)
	}
}

func TestSocketsAreNeitherBlockingNorInheritedNorSlow(t *testing.T) {
	fds := open(t, newSet(t), tcp("tcp", "127.0.0.1:0"), path(t))
	for _, fd := range fds {
		status, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if status&unix.O_NONBLOCK == 0 || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("flags %o %o, want O_NONBLOCK and FD_CLOEXEC", status, flags)
		}
	}
	if option(t, fds[0], unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
		t.Error("TCP_NODELAY is off")
	}
	if option(t, fds[0], unix.SOL_SOCKET, unix.SO_REUSEPORT) != 0 {
		t.Error("SO_REUSEPORT is on")
	}
}

func TestNetworksMeanFamilies(t *testing.T) {
	s := newSet(t)
	if _, err := s.Open([]config.Listen{tcp("tcp6", "[::1]:0")}); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	for _, test := range []struct {
		listen config.Listen
		only   int // -1: no IPv6 at all
	}{
		{tcp("tcp", "[::]:0"), 0},
		{tcp("tcp", ":0"), 0},
		{tcp("tcp6", "[::]:0"), 1},
		{tcp("tcp6", ":0"), 1},
		{tcp("tcp4", ":0"), -1},
		{tcp("tcp", "0.0.0.0:0"), -1},
	} {
		fd := open(t, s, test.listen)[0]
		name, _ := unix.Getsockname(fd)
		if _, six := name.(*unix.SockaddrInet6); !six {
			if test.only >= 0 {
				t.Errorf("%v is IPv4", test.listen)
			}
			continue
		}
		if got := option(t, fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY); got != test.only {
			t.Errorf("%v: IPV6_V6ONLY is %d, want %d", test.listen, got, test.only)
		}
	}
}

func TestFailedOpenChangesNothing(t *testing.T) {
	s := newSet(t)
	kept, fresh := path(t), path(t)
	fd := open(t, s, kept)[0]

	bad := config.Listen{Network: "unix", Address: "/nowhere/s", Mode: -1}
	_, err := s.Open([]config.Listen{kept, fresh, bad})
	if err == nil || !strings.Contains(err.Error(), "unix /nowhere/s: no such file or directory: create its directory") {
		t.Fatalf("Open: %v", err)
	}
	if _, err := os.Lstat(fresh.Address); !os.IsNotExist(err) {
		t.Errorf("the new path is there: %v", err)
	}
	if err := dial(t, fd); err != nil {
		t.Errorf("the old socket: %v", err)
	}
}

func TestTakenPortIsAnErrorWithARemedy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = newSet(t).Open([]config.Listen{tcp("tcp", l.Addr().String())})
	if err == nil || !strings.Contains(err.Error(), "address already in use: stop whoever listens there") {
		t.Errorf("Open: %v", err)
	}
}

// A child that is being forked has a copy of every descriptor until its exec.
func TestClosedAddressIsFreeAtOnceWhileOthersAreStarted(t *testing.T) {
	var s sockets.Set
	free := newSet(t)
	name, err := unix.Getsockname(open(t, free, tcp("tcp", "127.0.0.1:0"))[0])
	if err != nil {
		t.Fatal(err)
	}
	free.ShutDown(nil)
	free.Close()
	l := []config.Listen{tcp("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*unix.SockaddrInet4).Port)))}
	ctx, cancel := context.WithCancel(t.Context())
	var starting sync.WaitGroup
	for range 4 {
		starting.Go(func() {
			for ctx.Err() == nil {
				_ = exec.Command("/bin/true").Run()
			}
		})
	}
	defer starting.Wait()
	defer cancel()
	for range 500 {
		if _, err := s.Open(l); err != nil {
			t.Fatal(err)
		}
		s.ShutDown(nil)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeepClosesWhatIsNotListed(t *testing.T) {
	s := newSet(t)
	a, b := path(t), path(t)
	fds := open(t, s, a, b)
	if err := s.Keep([]config.Listen{b}); err != nil {
		t.Fatalf("Keep: %v", err)
	}
	if _, err := os.Lstat(a.Address); !os.IsNotExist(err) {
		t.Errorf("the closed path is still there: %v", err)
	}
	if err := dial(t, fds[1]); err != nil {
		t.Errorf("the kept one: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if _, err := net.Dial("unix", b.Address); err == nil {
		t.Error("connected after Close")
	}
}

func TestClosedSocketLeavesAnothersPathAlone(t *testing.T) {
	s := newSet(t)
	l := path(t)
	open(t, s, l)
	if err := os.Remove(l.Address); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", l.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	changed := l
	changed.Mode = 0o600
	if err := s.Keep([]config.Listen{changed}); err == nil || !strings.Contains(err.Error(), "no longer this socket's") {
		t.Errorf("Keep: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if c, err := net.Dial("unix", l.Address); err != nil {
		t.Errorf("the other one's path: %v", err)
	} else {
		c.Close()
	}
}

func TestModeAndOwnerAreAsConfigured(t *testing.T) {
	s := newSet(t)
	l := path(t)
	l.Mode = 0o666 // more than any umask leaves
	if os.Getuid() == 0 {
		l.User, l.Group = "65534", "65533"
	}
	open(t, s, l)
	check := func() {
		t.Helper()
		var st unix.Stat_t
		if err := unix.Lstat(l.Address, &st); err != nil {
			t.Fatal(err)
		}
		if got := int(st.Mode) & 0o7777; got != l.Mode {
			t.Errorf("mode %o, want %o", got, l.Mode)
		}
		if os.Getuid() == 0 && (st.Uid != 65534 || st.Gid != 65533) {
			t.Errorf("owner %d:%d, want 65534:65533", st.Uid, st.Gid)
		}
	}
	check()
	l.Mode = 0o620
	if err := s.Keep([]config.Listen{l}); err != nil {
		t.Fatalf("Keep: %v", err)
	}
	check()
}

func TestUnknownOwnerIsAnErrorAndLeavesNothing(t *testing.T) {
	l := path(t)
	l.Group = "no-such-group"
	_, err := newSet(t).Open([]config.Listen{l})
	if err == nil || !strings.Contains(err.Error(), "no-such-group") {
		t.Errorf("Open: %v", err)
	}
	if _, err := os.Lstat(l.Address); !os.IsNotExist(err) {
		t.Errorf("the path is there: %v", err)
	}
}

func TestBacklogFollowsTheConfiguration(t *testing.T) {
	s := newSet(t)
	l := path(t)
	l.Backlog = 1
	fd := open(t, s, l)[0]
	waiting := func() int {
		n := 0
		for {
			c, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(c) })
			if err := unix.SetNonblock(c, true); err != nil {
				t.Fatal(err)
			}
			if unix.Connect(c, &unix.SockaddrUnix{Name: l.Address}) != nil {
				return n
			}
			n++
		}
	}
	few := waiting()
	l.Backlog = 20
	if err := s.Keep([]config.Listen{l}); err != nil {
		t.Fatalf("Keep: %v", err)
	}
	if same := open(t, s, l)[0]; same != fd {
		t.Errorf("descriptor %d, want %d still", same, fd)
	}
	if more := waiting(); few > 3 || more < 15 {
		t.Errorf("%d connections wait with a backlog of 1, %d more with 20", few, more)
	}
}

func TestAPathThatSomebodyRemovedIsOpenedAnew(t *testing.T) {
	var set sockets.Set
	defer set.Close()
	l := path(t)
	before, err := set.Open([]config.Listen{l})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(l.Address); err != nil {
		t.Fatal(err)
	}
	after, err := set.Open([]config.Listen{l})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", l.Address)
	if err != nil {
		t.Fatalf("descriptors %v, then %v: %v", before, after, err)
	}
	c.Close()
}

func TestASocketBlocksOnlyWhereItIsSaidTo(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		var s sockets.Set
		fds, err := s.Open([]config.Listen{{Network: "unix", Address: filepath.Join(t.TempDir(), "s"), Mode: -1, Blocking: blocking}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0)
		if err != nil || (flags&unix.O_NONBLOCK == 0) != blocking {
			t.Errorf("with blocking = %v the flags are %#o, %v", blocking, flags, err)
		}
	}
}
