package output

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

// fifo is what a service writes into. With a pipe, SIGPIPE would kill the service once
// hupwatch is gone. Here the service's own end can be read from too, so the service
// goes on without hupwatch, until 64 KiB are unread.
type fifo struct {
	path   string // empty for none
	reader int    // ours, which does not block
	writer int    // the service's, which blocks; -1 if an earlier hupwatch made the FIFO
}

// makeFIFO makes a FIFO for a program, which runs as another user if as is given.
// Programs open /dev/stdout anew, so the FIFO must belong to that user.
func makeFIFO(path string, as *process.Credential) (f fifo, err error) {
	f = fifo{path: path, reader: -1, writer: -1}
	if path == "" {
		f.reader, f.writer, err = openPipe()
	} else {
		err = f.make()
	}
	if err == nil && as != nil {
		err = unix.Fchown(f.reader, int(as.UID), int(as.GID))
	}
	if err != nil {
		f.close()
		f.remove()
		return f, fmt.Errorf("make FIFO for output: %w", err)
	}
	return f, nil
}

func (f *fifo) make() error {
	err := unix.Mkfifo(f.path, 0o600)
	if errors.Is(err, unix.EEXIST) {
		// It is none of ours, and a process that still holds it was not adopted.
		if err = os.Remove(f.path); err == nil {
			err = unix.Mkfifo(f.path, 0o600)
		}
	}
	if err != nil {
		return &os.PathError{Op: "make", Path: f.path, Err: err}
	}
	if f.reader, err = openFIFO(f.path, unix.O_RDONLY|unix.O_NONBLOCK); err != nil {
		return err
	}
	f.writer, err = openFIFO(f.path, unix.O_RDWR)
	return err
}

// adoptFIFO opens a FIFO that an earlier hupwatch made.
func adoptFIFO(path string) (fifo, error) {
	f := fifo{path: path, writer: -1}
	var err error
	f.reader, err = openFIFO(path, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return f, err
	}
	if err := f.noticeWriters(); err != nil {
		f.close()
		return f, err
	}
	return f, nil
}

// noticeWriters has the end of a FIFO reported even if nobody writes to it: the
// kernel reports it only once there was a writer after the reader opened it.
func (f *fifo) noticeWriters() error {
	fd, err := openFIFO(f.path, unix.O_WRONLY|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// held reports whether anybody has the FIFO open for writing. It takes nothing
// out of it.
func held(path string) (bool, error) {
	f, err := adoptFIFO(path)
	if err != nil {
		return false, err
	}
	defer f.close()
	events := []unix.PollFd{{Fd: int32(f.reader), Events: unix.POLLIN}}
	if _, err := unix.Poll(events, 0); err != nil {
		return false, fmt.Errorf("poll %s: %w", path, err)
	}
	return events[0].Revents&unix.POLLHUP == 0, nil
}

// sweep removes the FIFOs that an earlier hupwatch left and nobody holds. The
// others are kept, to be adopted.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Type() != os.ModeNamedPipe {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if kept, err := held(path); err != nil || kept {
			continue // it does no harm
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// closeWriter closes hupwatch's copy of the service's end. While that is open,
// hupwatch cannot notice that the service has closed its own.
func (f *fifo) closeWriter() {
	if f.writer >= 0 {
		unix.Close(f.writer)
		f.writer = -1
	}
}

func (f *fifo) close() {
	f.closeWriter()
	if f.reader >= 0 {
		unix.Close(f.reader)
		f.reader = -1
	}
}

func (f *fifo) remove() {
	if f.path != "" {
		_ = os.Remove(f.path) // a later hupwatch does, if this one cannot
	}
}

func openFIFO(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NOCTTY, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return -1, &os.PathError{Op: "open", Path: path, Err: err}
		default:
			return fd, nil
		}
	}
}

// fifoName names the FIFO of a stream. A service's name may have dots in it.
func fifoName(service string, generation, instance int, stream Stream) string {
	return strings.Join([]string{service, fmt.Sprint(generation), fmt.Sprint(instance), string(stream)}, ".")
}
