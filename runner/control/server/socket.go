package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// noGroup stands for no control group.
const noGroup = -1

// The modes of the socket: connecting takes the right to write.
const (
	modeOwner = 0o600
	modeGroup = 0o660
)

// socket is the path that clients connect to. The directory it is in is
// hupwatch's own, and locked.
type socket struct {
	path string

	mu       sync.Mutex // guards what is below
	listener *net.UnixListener
	file     os.FileInfo // of the socket that listens, whatever is at the path now
	ended    bool
}

// listen makes the socket, in the place of one that another hupwatch left behind. It
// is made under a name that nobody knows, and gets its own name once only its owner
// can connect. The umask is not used for that: it belongs to the whole process,
// services included.
func (s *socket) listen() (*net.UnixListener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, net.ErrClosed
	}
	if info, err := os.Lstat(s.path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("control socket %s: there is a file that is no socket: remove it", s.path)
	}
	hidden := filepath.Join(filepath.Dir(s.path), ".c"+rand.Text()[:8])
	if err := checkLength(max(len(s.path), len(hidden)), s.path); err != nil {
		return nil, err
	}
	l, err := listenPrivately(hidden)
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", s.path, err)
	}
	if s.file, err = moveTo(s.path, hidden); err != nil {
		l.Close()
		_ = os.Remove(hidden)
		return nil, fmt.Errorf("control socket: %w", err)
	}
	s.listener = l
	return l, nil
}

func checkLength(length int, path string) error {
	most := len(unix.RawSockaddrUnix{}.Path) - 1
	if length <= most {
		return nil
	}
	return fmt.Errorf("control socket %s: the path of a socket has %d bytes at most: set daemon.runtime_dir to a shorter one", path, most)
}

// listenPrivately listens at a path to which nobody else may connect. Linux
// gives the path the mode that the socket has; elsewhere it has to be set.
func listenPrivately(path string) (*net.UnixListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), modeOwner) })
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	listener := l.(*net.UnixListener)
	listener.SetUnlinkOnClose(false) // by then the socket has another path
	if err := os.Chmod(path, modeOwner); err != nil {
		l.Close()
		_ = os.Remove(path)
		return nil, err
	}
	return listener, nil
}

func moveTo(path, hidden string) (os.FileInfo, error) {
	info, err := os.Lstat(hidden)
	if err != nil {
		return nil, err
	}
	return info, os.Rename(hidden, path)
}

// admit sets who may connect: the owner, and the group if there is one. If
// the path is not this socket any more, the listener is closed, to be made anew.
func (s *socket) admit(gid int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil // it is admitted when it listens
	}
	info, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, s.file) {
		return s.listener.Close()
	}
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if err := s.setMode(info, gid); err != nil {
		return fmt.Errorf("control socket: %w; only its owner and root can connect now: run hupwatch as root, or as a member of daemon.control_group", err)
	}
	return nil
}

// setMode closes the socket to one group before it is opened to another.
func (s *socket) setMode(info os.FileInfo, gid int) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && gid != noGroup && int(stat.Gid) == gid && info.Mode().Perm() == modeGroup {
		return nil
	}
	if err := os.Chmod(s.path, modeOwner); err != nil || gid == noGroup {
		return err
	}
	if err := os.Lchown(s.path, -1, gid); err != nil {
		return err
	}
	return os.Chmod(s.path, modeGroup)
}

// end closes the socket for good.
func (s *socket) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.remove()
}

// close stops listening.
func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove()
}

// remove stops listening and removes the path, if it is still this socket's.
func (s *socket) remove() {
	if s.listener == nil {
		return
	}
	if info, err := os.Lstat(s.path); err == nil && os.SameFile(info, s.file) {
		_ = os.Remove(s.path)
	}
	s.listener.Close()
	s.listener = nil
}
