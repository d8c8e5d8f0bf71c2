package sockets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/services/account"
)

// openUnix binds the real path, which servers compare with what they were told.
func (s *socket) openUnix() error {
	var err error
	if s.fd, err = newSocket(unix.AF_UNIX); err != nil {
		return err
	}
	path := s.listen.Address
	address := &unix.SockaddrUnix{Name: path}
	if err = unix.Bind(s.fd, address); errors.Is(err, unix.EADDRINUSE) {
		if err := removeStale(path); err != nil {
			return err
		}
		err = unix.Bind(s.fd, address)
	}
	if err != nil {
		return err
	}
	_ = unix.Unlink(secondName(path)) // the guard of a hupwatch that was killed left it behind
	s.file = new(unix.Stat_t)
	if err := unix.Lstat(path, s.file); err != nil {
		return err
	}
	return s.admit(s.listen)
}

// removeStale removes a socket that was left behind and that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errNoSocket
	}
	if err := stale(path); err != nil {
		return err
	}
	return os.Remove(path)
}

var errNoSocket = errors.New("there is a file that is no socket: remove it, or choose another path")

// stale returns an error if a process listens on the socket at path, or may do so.
func stale(path string) error {
	fd, err := newSocket(unix.AF_UNIX)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err {
	case unix.ECONNREFUSED, unix.ENOENT:
		return nil
	case nil, unix.EAGAIN, unix.EINPROGRESS, unix.EPROTOTYPE:
		return errors.New("another process listens there: stop it (ss -lxp names it; hupwatch restart, if it is this service with a socket of its own), or choose another path")
	default:
		return fmt.Errorf("find out whether another process listens there: %w", err)
	}
}

// admit gives the path of a unix socket its owner and mode.
func (s *socket) admit(l config.Listen) error {
	uid, err := userID(l.User)
	if err != nil {
		return err
	}
	gid, err := groupID(l.Group)
	if err != nil {
		return err
	}
	if uid < 0 && gid < 0 && l.Mode < 0 {
		return nil
	}
	return setOwnerAndMode(unix.AT_FDCWD, l.Address, *s.file, uid, gid, l.Mode)
}

// userID returns the number of a user, or -1 if none is named.
func userID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	return account.LookupUID(name)
}

// groupID returns the number of a group, or -1 if none is named.
func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	return account.LookupGroup(name)
}
