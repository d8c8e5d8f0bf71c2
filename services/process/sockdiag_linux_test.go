package process

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What the kernel says on either way is the same.
func TestListenersAreTheSameByNetlinkAndInProc(t *testing.T) {
	for _, address := range []string{"127.77.0.3:8003", "[::1]:8078", "[::]:8079"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	ours := []uint16{8003, 8078, 8079}
	for path, family := range map[string]uint8{"/proc/net/tcp": unix.AF_INET, "/proc/net/tcp6": unix.AF_INET6} {
		asked, err := listeners(family)
		if err != nil {
			t.Skipf("sock_diag: %v", err)
		}
		of := func(all []listener) []listener {
			all = slices.DeleteFunc(all, func(l listener) bool { return !slices.Contains(ours, l.address.Port()) || !isOurs(l.address) })
			slices.SortFunc(all, func(a, b listener) int { return strings.Compare(a.address.String(), b.address.String()) })
			return all
		}
		got, want := of(asked), of(listenersIn(path))
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: asked it is %v, read it is %v", path, got, want)
		}
	}
}

func isOurs(a netip.AddrPort) bool {
	return a.Addr() == netip.MustParseAddr("127.77.0.3") || a.Addr().Is6()
}

func BenchmarkListening(b *testing.B) {
	b.Run("asked", func(b *testing.B) {
		for b.Loop() {
			if _, err := listeners(unix.AF_INET); err != nil {
				b.Skip(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			listenersIn("/proc/net/tcp")
		}
	})
}
