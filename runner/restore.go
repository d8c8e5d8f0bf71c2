package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/runner/control/server"
	"hupwatch/services/mistake"
	"hupwatch/services/sockets"
)

// restore makes anew what somebody removed of the runtime directory: a cleaner of /tmp,
// or a logout. What is in it is made anew by those that it belongs to. It does nothing
// if nothing is missing. It may be called by any goroutine, and may block on the disk.
func (d *runtimeDir) restore() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock == nil { // there is no directory
		return nil
	}
	missing, err := d.missing()
	if err != nil || len(missing) == 0 {
		return err
	}
	if err := os.MkdirAll(d.path, runtimeDirMode); err != nil {
		return fmt.Errorf("make runtime_dir again: %w", err)
	}
	if _, err := ownDirectory("runtime_dir", d.path); err != nil {
		return err
	}
	if err := d.lockAgain(); err != nil {
		return err
	}
	if err := d.writePID(); err != nil {
		return err
	}
	d.trouble(fmt.Sprintf("somebody removed %s: it is made again; keep what cleans up away from runtime_dir", strings.Join(missing, ", ")))
	return nil
}

// missing returns what is not there any more.
func (d *runtimeDir) missing() (names []string, err error) {
	ours, err := d.lock.Stat()
	if err != nil {
		return nil, err
	}
	for _, path := range []string{d.path, d.lock.Name(), d.pidFile()} {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			names = append(names, path)
			if path == d.path {
				return names, nil
			}
		case err != nil:
			return nil, fmt.Errorf("runtime_dir: %w", err)
		case path == d.lock.Name() && !os.SameFile(info, ours):
			names = append(names, path)
		}
	}
	return names, nil
}

// lockAgain takes the lock that is there now, or that it makes. It may be another's.
func (d *runtimeDir) lockAgain() error {
	lock, err := openLock(d.path)
	if err != nil {
		return fmt.Errorf("runtime_dir %s: %w", d.path, err)
	}
	was, err := d.lock.Stat()
	if err != nil {
		lock.Close()
		return err
	}
	if now, err := lock.Stat(); err == nil && os.SameFile(was, now) {
		return lock.Close() // flock(2) is of the open file: the other one keeps it
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return fmt.Errorf("runtime_dir %s: its lock was removed, and another hupwatch%s has taken it: stop that one, or this one", d.path, d.holder())
	}
	d.lock.Close()
	d.lock = lock
	return nil
}

// settle is how long a removal may go on before what is missing is made again: who
// removes a directory removes one file after the other.
const settle = 200 * time.Millisecond

// keeper has what clients and other hupwatches need made again as soon as it is removed,
// and not only when it is needed: the control socket and the lock.
type keeper struct {
	dir      *runtimeDir
	watch    *sockets.Watch
	control  *server.Server
	mistakes mistake.Report
	due      atomic.Bool

	mu    sync.Mutex // guards what is below
	ends  []func()   // of the watching
	ended bool
}

// keep begins that. It goes on until end is called.
func keep(d *runtimeDir, w *sockets.Watch, control *server.Server, mistakes mistake.Report) (end func()) {
	k := &keeper{dir: d, watch: w, control: control, mistakes: mistakes}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begin()
	return k.end
}

func (k *keeper) begin() {
	for _, name := range []string{config.ControlSocket, lockName} {
		if end, err := k.watch.See(k.dir.file(name), k.changed); err == nil { // else it is made again when it is needed
			k.ends = append(k.ends, end)
		}
	}
}

// changed is called by the poller, and does not block.
func (k *keeper) changed() {
	if k.due.CompareAndSwap(false, true) {
		time.AfterFunc(settle, func() { // ends when the disk answers
			k.due.Store(false)
			k.mistakes.Do("restore the runtime directory", k.mend)
		})
	}
}

func (k *keeper) mend() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return
	}
	k.unwatch()
	defer k.begin() // the directory may be another one
	err := k.dir.restore()
	if err == nil {
		err = k.control.Admit()
	}
	if err != nil {
		k.dir.trouble(err.Error())
	}
}

func (k *keeper) unwatch() {
	for _, end := range k.ends {
		end()
	}
	k.ends = nil
}

func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	k.unwatch()
}
