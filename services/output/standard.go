package output

import (
	"bytes"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// atOnce is what a pipe takes in one piece, whatever else writes to it.
const atOnce = 4096

// standard is hupwatch's own standard output or error. Its log goes there too,
// so whole lines are written with one call.
type standard struct{ io.Writer }

func (s standard) write(text []byte) (int, error) { return s.Write(text[:lines(text, atOnce)]) }

// await waits in poll(2): others have the descriptor too, and made it non-blocking.
// A writer that has no descriptor is tried again at once.
func (s standard) await() {
	conn, ok := s.Writer.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // whatever went wrong, the next write says it
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
	})
}

func (s standard) open() error { return nil }

func (s standard) close() {}

// lines returns how many bytes of the text are whole lines and no more than
// most, but one line at least.
func lines(text []byte, most int) int {
	if len(text) <= most {
		return len(text)
	}
	if i := bytes.LastIndexByte(text[:most], '\n'); i >= 0 {
		return i + 1
	}
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}
