package task

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"time"

	"hupwatch/services/visible"
)

// How much is kept of what a command writes, and how much is read of it once it
// has ended: what a pipe holds, and no more, since others may go on writing.
const (
	tailLines = 20
	tailBytes = 4 << 10
	pipeBytes = 64 << 10
)

// tail is the end of what was written.
type tail struct {
	text []byte
	cut  bool // there was more
}

// follow reads to the end or to the deadline.
func (t *tail) follow(out *os.File) {
	buffer := make([]byte, tailBytes)
	for {
		n, err := out.Read(buffer)
		t.add(buffer[:n])
		if err != nil {
			return
		}
	}
}

// catchUp reads what is there, and does not wait for more.
func (t *tail) catchUp(out *os.File) {
	_ = out.SetReadDeadline(time.Time{})
	raw, err := out.SyscallConn()
	if err != nil {
		return
	}
	buffer := make([]byte, tailBytes)
	for most := pipeBytes; most > 0; {
		var n int
		err := raw.Read(func(fd uintptr) bool {
			n, _ = syscall.Read(int(fd), buffer)
			return true // whatever came
		})
		if err != nil || n <= 0 {
			return
		}
		t.add(buffer[:n])
		most -= n
	}
}

// add appends, and lets go of the beginning.
func (t *tail) add(text []byte) {
	t.text = append(t.text, text...)
	if more := len(t.text) - tailBytes; more > 0 {
		t.text = t.text[:copy(t.text, t.text[more:])]
		t.cut = true
	}
}

// lines returns the last lines, as they may go on a terminal. One that is not
// there from its beginning is left out, unless it is the only one.
func (t *tail) lines() []string {
	text := bytes.TrimRight(t.text, "\r\n")
	if _, whole, ok := bytes.Cut(text, []byte("\n")); t.cut && ok {
		text = whole
	}
	if len(text) == 0 {
		return nil
	}
	lines := strings.Split(string(text), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, line := range lines {
		lines[i] = visible.String(strings.TrimSuffix(line, "\r"))
	}
	return lines
}
