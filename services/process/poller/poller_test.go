package poller_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"hupwatch/services/process/poller"
)

// readable is a handler that is a function.
type readable func(d *poller.Descriptor, buffer []byte)

func (f readable) Readable(d *poller.Descriptor, buffer []byte) { f(d, buffer) }

func newPoller(t *testing.T) *poller.Poller {
	t.Helper()
	p, err := poller.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// pipe returns both ends of a pipe, of which the reading one does not block.
func pipe(t *testing.T) (reader int, writer *os.File) {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fds[0]) })
	writer = os.NewFile(uintptr(fds[1]), "writer")
	t.Cleanup(func() { writer.Close() })
	return fds[0], writer
}

func add(t *testing.T, p *poller.Poller, fd int, f readable) *poller.Descriptor {
	t.Helper()
	d, err := p.Add(fd, f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t *testing.T, to *os.File, text string) {
	t.Helper()
	if _, err := to.WriteString(text); err != nil {
		t.Error(err)
	}
}

// reads returns a handler that sends what it reads, and removes itself at the end.
func reads(fd int) (readable, chan string) {
	texts := make(chan string, 1000)
	return func(d *poller.Descriptor, buffer []byte) {
		n, err := syscall.Read(fd, buffer)
		switch {
		case errors.Is(err, syscall.EAGAIN):
		case n > 0:
			texts <- string(buffer[:n])
		default:
			texts <- fmt.Sprintf("end %v", err)
			d.Remove()
		}
	}, texts
}

func want(t *testing.T, texts <-chan string, text string) {
	t.Helper()
	select {
	case got := <-texts:
		if got != text {
			t.Errorf("read %q, want %q", got, text)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("%q was not read", text)
	}
}

func TestWhatIsWrittenIsReadUpToTheEnd(t *testing.T) {
	p := newPoller(t)
	fd, writer := pipe(t)
	handler, texts := reads(fd)
	add(t, p, fd, handler)
	for range 100 {
		write(t, writer, "a")
		want(t, texts, "a")
	}
	write(t, writer, "last")
	writer.Close()
	want(t, texts, "last")
	want(t, texts, "end <nil>")
}

func TestAPausedDescriptorIsNotReadUntilItIsResumed(t *testing.T) {
	p := newPoller(t)
	fd, writer := pipe(t)
	handler, texts := reads(fd)
	d := add(t, p, fd, handler)
	d.Pause()
	d.Pause()
	write(t, writer, "a")
	roundTrips(t, p)
	if len(texts) > 0 {
		t.Errorf("%q was read while it was paused", <-texts)
	}
	d.Resume()
	want(t, texts, "a")
	d.Resume()
	write(t, writer, "b")
	want(t, texts, "b")
}

// roundTrips shows that the poller goes round.
func roundTrips(t *testing.T, p *poller.Poller) {
	t.Helper()
	fd, writer := pipe(t)
	handler, texts := reads(fd)
	d := add(t, p, fd, handler)
	for range 10 {
		write(t, writer, "x")
		want(t, texts, "x")
	}
	d.Remove()
}

func TestAHangUpWhilePausedKeepsNoProcessorBusy(t *testing.T) {
	p := newPoller(t)
	fd, writer := pipe(t)
	handler, texts := reads(fd)
	d := add(t, p, fd, handler)
	d.Pause()
	write(t, writer, "last")
	writer.Close()

	const watched = 300 * time.Millisecond
	before := processorTime(t)
	<-time.After(watched)
	if spent := processorTime(t) - before; spent > watched/2 {
		t.Errorf("%v of processor time went by in %v", spent, watched)
	}
	if len(texts) > 0 {
		t.Errorf("%q was read while it was paused", <-texts)
	}
	d.Resume()
	want(t, texts, "last")
	want(t, texts, "end <nil>")
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestNothingIsCalledAfterClose(t *testing.T) {
	p := newPoller(t)
	fd, writer := pipe(t)
	d := add(t, p, fd, func(*poller.Descriptor, []byte) { t.Error("called after Close") })
	d.Pause()
	p.Close()
	d.Resume()
	write(t, writer, "x")
	d.Remove()
	if _, err := p.Add(fd, readable(nil)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("adding one gave %v, want %v", err, os.ErrClosed)
	}
}
