package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// startsLimit is how large the file of starts may grow before it begins anew.
const startsLimit = 64 << 10

// starts are the generations that are about to get a process, in a file that is
// only appended to: a line "+ SERVICE GENERATION" before, and one with a - once it
// is known what became of it. A line is written by a single call, so it is there
// or not.
type starts struct {
	path    string
	fd      int // 0 until it is opened
	size    int
	pending int
}

type start struct {
	service    string
	generation int
}

// begin writes down a start. What the file had before is of an earlier hupwatch,
// of which nothing lives.
func (s *starts) begin(which start) error {
	if s.removed() {
		s.close()
	}
	if s.fd == 0 {
		fd, err := unix.Open(s.path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_APPEND|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return fmt.Errorf("open %s: %w", s.path, err)
		}
		s.fd = fd
	}
	if err := s.append("+", which); err != nil {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	s.pending++
	return nil
}

// removed reports whether the file was removed since it was opened.
func (s *starts) removed() bool {
	var now unix.Stat_t
	return s.fd != 0 && unix.Fstat(s.fd, &now) == nil && now.Nlink == 0
}

// close has the file opened anew.
func (s *starts) close() {
	if s.fd != 0 {
		unix.Close(s.fd)
	}
	s.fd, s.size = 0, 0
}

// end writes down that a start came to its end. If that fails, a later hupwatch looks
// for its process in vain.
func (s *starts) end(which start) {
	s.pending--
	if s.fd == 0 { // the file is gone, and with it what was begun
		return
	}
	_ = s.append("-", which)
	if s.pending == 0 && s.size > startsLimit && unix.Ftruncate(s.fd, 0) == nil {
		s.size = 0
	}
}

func (s *starts) append(sign string, which start) error {
	line := sign + " " + which.service + " " + strconv.Itoa(which.generation) + "\n"
	n, err := unix.Write(s.fd, []byte(line))
	if err == nil && n < len(line) { // no room for more
		err = unix.Ftruncate(s.fd, int64(s.size))
		return errors.Join(unix.ENOSPC, err)
	}
	if err == nil {
		s.size += n
	}
	return err
}

// load reads which starts have not come to their end.
func (s *starts) load() ([]start, error) {
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read starts: %w", err)
	}
	open := make(map[start]bool)
	var order []start
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 || !strings.HasSuffix(line, "\n") {
			continue
		}
		generation, err := strconv.Atoi(f[2])
		if err != nil {
			continue
		}
		which := start{f[1], generation}
		if f[0] == "+" && !open[which] {
			order = append(order, which)
		}
		open[which] = f[0] == "+"
	}
	var cutShort []start
	for _, which := range order {
		if open[which] {
			cutShort = append(cutShort, which)
			open[which] = false // begun twice
		}
	}
	return cutShort, nil
}

// forget removes the file. It is called when nothing of any start lives.
func (s *starts) forget() error {
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget starts: %w", err)
	}
	return nil
}
