package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// stateDir is daemon.state_dir, which outlives a reboot, held by this hupwatch alone.
type stateDir struct {
	path string // empty for none
	lock *os.File
}

// archiveFile is where it keeps what is known of releases.
const archiveFile = "releases"

// file returns the path of a file in the directory; empty if there is none.
func (d *stateDir) file(name string) string {
	if d.path == "" {
		return ""
	}
	return filepath.Join(d.path, name)
}

func (d *stateDir) release() {
	if d.lock != nil {
		d.lock.Close()
	}
}

// holdState takes the state directory. If it cannot, hupwatch goes on without it: no
// service depends on it. why says the reason and what is lost. It is empty in a
// container with a read-only root: nothing could outlive that, and nobody expects it.
func holdState(path string) (d *stateDir, why string) {
	if path == "" {
		return &stateDir{}, ""
	}
	lock, err := lockState(path)
	if errors.Is(err, unix.EROFS) && os.Getpid() == 1 {
		return &stateDir{}, ""
	}
	if err != nil {
		return &stateDir{}, fmt.Sprintf("state_dir %s: %v; without it the journal and the last good releases do not outlive a reboot", path, err)
	}
	return &stateDir{path: path, lock: lock}, ""
}

func lockState(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, plainPath(err)
	}
	if _, err := ownDirectory("state_dir", path); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "state_dir "+path+": "))
	}
	lock, err := openLock(path)
	if err != nil {
		return nil, plainPath(err)
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		text, _ := os.ReadFile(lock.Name())
		err = fmt.Errorf("another hupwatch uses it, pid %s; give this one a state_dir of its own", strings.TrimSpace(string(text)))
	case err == nil:
		if err = lock.Truncate(0); err == nil {
			_, err = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// plainPath leaves the path out of an error: the message names it already.
func plainPath(err error) error {
	if pathError, ok := errors.AsType[*os.PathError](err); ok {
		return pathError.Err
	}
	return err
}
