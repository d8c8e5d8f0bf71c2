package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// runtimeDir is daemon.runtime_dir, held by this hupwatch alone.
type runtimeDir struct {
	path string
	lock *os.File
}

// holdRuntimeDir makes the directory if need be and locks it. The kernel drops
// the lock with the process, so nothing stale can ever be in the way.
func holdRuntimeDir(path string) (*runtimeDir, error) {
	if err := os.MkdirAll(path, 0o711); err != nil {
		return nil, fmt.Errorf("make runtime_dir: %w", err)
	}
	if err := ownDirectory(path); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	d := &runtimeDir{path: path, lock: lock}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		lock.Close()
		return nil, fmt.Errorf("runtime_dir %s: another hupwatch%s uses it; stop that one, or give this one a runtime_dir of its own", path, d.holder())
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	return d, nil
}

// ownDirectory refuses a directory in which somebody else could put things in
// the place of ours.
func ownDirectory(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("runtime_dir: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("runtime_dir %s: it is not a directory", path)
	case ok && int(stat.Uid) != os.Geteuid() && stat.Uid != 0:
		return fmt.Errorf("runtime_dir %s: it belongs to uid %d; give hupwatch a directory of its own", path, stat.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("runtime_dir %s: its mode %#o lets others write to it; chmod go-w it", path, info.Mode().Perm())
	}
	return nil
}

// holder names the process that wrote the pid file, if it can be read.
func (d *runtimeDir) holder() string {
	text, err := os.ReadFile(d.pidFile())
	if err != nil {
		return ""
	}
	return " (pid " + strings.TrimSpace(string(text)) + ")"
}

func (d *runtimeDir) pidFile() string { return filepath.Join(d.path, "pid") }

// writePID says who holds the directory.
func (d *runtimeDir) writePID() error {
	temp := filepath.Join(d.path, ".pid.new")
	if err := os.WriteFile(temp, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("write pid file: %w", err)
	}
	if err := os.Rename(temp, d.pidFile()); err != nil {
		return fmt.Errorf("write pid file: %w", err)
	}
	return nil
}

// release lets go of the directory.
func (d *runtimeDir) release() {
	_ = os.Remove(d.pidFile())
	d.lock.Close()
}
