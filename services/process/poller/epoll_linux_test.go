package poller_test

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"hupwatch/services/process/poller"
)

func TestALoudDescriptorDoesNotStarveAnother(t *testing.T) {
	const before = 100
	p := newPoller(t)
	loud, toLoud := pipe(t)
	quiet, toQuiet := pipe(t)
	write(t, toLoud, string(make([]byte, 60000)))

	var calls atomic.Int32
	heard := make(chan int32, 1)
	add(t, p, quiet, func(d *poller.Descriptor, _ []byte) { heard <- calls.Load(); d.Remove() })
	add(t, p, loud, func(d *poller.Descriptor, buffer []byte) {
		if n, _ := syscall.Read(loud, buffer[:1]); n == 0 {
			d.Remove()
		}
		if calls.Add(1) == before {
			write(t, toQuiet, "x")
		}
	})
	if got := <-heard; got > before+2 {
		t.Errorf("the quiet one had to wait for %d calls of the loud one", got-before)
	}
}

// TestANumberThatIsUsedAgainIsAnotherDescriptor holds on to what kept others
// busy for years: events of a closed descriptor that were taken for those of the
// next one with its number.
func TestANumberThatIsUsedAgainIsAnotherDescriptor(t *testing.T) {
	p := newPoller(t)
	first, toFirst := pipe(t)
	second, toSecond := pipe(t)
	fresh, _ := pipe(t)
	hold, toHold := pipe(t)

	// Both are readable in one round. Whichever comes first removes the other,
	// and puts an empty pipe in the place of its number.
	var wrong, calls atomic.Int32
	var both [2]*poller.Descriptor
	done := make(chan struct{})
	handler := func(old, fd int) readable {
		return func(d *poller.Descriptor, _ []byte) {
			d.Remove()
			if calls.Add(1) > 1 {
				return
			}
			both[old].Remove()
			if err := syscall.Dup3(fresh, fd, 0); err != nil {
				t.Error(err)
			}
			add(t, p, fd, func(d *poller.Descriptor, _ []byte) { wrong.Add(1); d.Remove() })
			close(done)
		}
	}
	entered, release := make(chan struct{}), make(chan struct{})
	add(t, p, hold, func(d *poller.Descriptor, _ []byte) { d.Remove(); close(entered); <-release })
	write(t, toHold, "x")
	<-entered // the poller stands still meanwhile
	both[0] = add(t, p, first, handler(1, second))
	both[1] = add(t, p, second, handler(0, first))
	write(t, toFirst, "x")
	write(t, toSecond, "x")
	close(release)
	<-done
	roundTrips(t, p)
	if wrong.Load() > 0 {
		t.Error("the new one was told what the old one had")
	}
	if calls.Load() > 1 {
		t.Error("one that was removed was called")
	}
}

func TestAListeningSocketIsOnlyToldOfBeingShutDown(t *testing.T) {
	p := newPoller(t)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 5); err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 100)
	d, err := p.AddHangup(fd, readable(func(*poller.Descriptor, []byte) { told <- "hang-up" }))
	if err != nil {
		t.Fatal(err)
	}

	hangUp := func() {
		t.Helper()
		address, err := syscall.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Connect(c, address); err != nil {
				t.Fatal(err)
			}
			syscall.Close(c)
		}
		roundTrips(t, p)
		if len(told) > 0 {
			t.Error("connections were told as a hang-up")
		}
		if err := syscall.Shutdown(fd, syscall.SHUT_RD); err != nil {
			t.Fatal(err)
		}
		want(t, told, "hang-up")
		roundTrips(t, p)
		if len(told) > 0 {
			t.Error("one hang-up was told again")
		}
		if err := syscall.Listen(fd, 5); err != nil {
			t.Fatal(err)
		}
	}
	hangUp()
	hangUp()
	d.Pause()
	d.Resume()
	hangUp()
}

func TestIdleDescriptorsTakeNoGoroutine(t *testing.T) {
	p := newPoller(t)
	before := runtime.NumGoroutine()
	for range 100 {
		fd, _ := pipe(t)
		add(t, p, fd, func(*poller.Descriptor, []byte) {})
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines more", after-before)
	}
}
