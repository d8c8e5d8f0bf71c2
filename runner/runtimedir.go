package runner

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"hupwatch/runner/state"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
)

// runtimeDir is daemon.runtime_dir, held by this hupwatch alone.
type runtimeDir struct {
	path    string // empty for none
	note    string // what its taking changed
	ledger  ledger
	store   *state.Store                // the ledger, if there is a directory
	wanted  map[string]lifecycle.Wanted // what an earlier hupwatch was asked for
	trouble func(text string)           // told what restore did

	mu   sync.Mutex // guards what is below
	lock *os.File
}

// runtimeDirMode lets everybody reach the sockets in it, and see nothing.
const runtimeDirMode = 0o711

// lockName is the file in a directory of hupwatch's own whose lock it holds.
const lockName = "lock"

func openLock(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

// ledger records what lives, and has a mark.
type ledger interface {
	services.Ledger
	Mark() string
}

// file returns the path of a file in the directory; empty if there is none.
func (d *runtimeDir) file(name string) string {
	if d.path == "" {
		return ""
	}
	return filepath.Join(d.path, name)
}

// hold takes the runtime directory, and refuses to go on if generations of an
// earlier hupwatch still run: nothing is ever run twice. PID 1 of a container goes on
// without the directory if it cannot write there: nothing outlives it anyway. Then
// why says what does not work.
func hold(o Options) (d *runtimeDir, why []string, err error) {
	path := o.Config.Daemon.RuntimeDir
	if path == "" {
		return withoutDir(), nil, nil
	}
	d, err = holdDir(path)
	if err != nil && os.Getpid() == 1 && unwritable(err) {
		return withoutDir(), []string{fmt.Sprintf("%v; hupwatch goes on without runtime_dir: no pid file, no name file", err)}, nil
	}
	if d != nil && d.note != "" {
		why = []string{d.note}
	}
	return d, why, err
}

func unwritable(err error) bool {
	for _, errno := range []error{unix.EROFS, unix.EACCES, unix.EPERM, unix.ENOSPC, unix.ENOENT} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func withoutDir() *runtimeDir { return &runtimeDir{ledger: forgetful(rand.Text())} }

// forgetful is the ledger of a hupwatch without a runtime directory; its value
// is its mark.
type forgetful string

func (forgetful) Intend(string, int) error                               { return nil }
func (forgetful) Settle(string, int)                                     {}
func (forgetful) Save(string, []services.Living, lifecycle.Wanted) error { return nil }

func (f forgetful) Mark() string { return string(f) }

// holdDir makes the directory if need be and locks it. The kernel drops the lock
// with the process, so nothing stale can ever be in the way.
func holdDir(path string) (*runtimeDir, error) {
	if err := os.MkdirAll(path, runtimeDirMode); err != nil {
		return nil, fmt.Errorf("make runtime_dir: %w; set daemon.runtime_dir to a directory that hupwatch can write to", err)
	}
	note, err := ownDirectory("runtime_dir", path)
	if err != nil {
		return nil, err
	}
	lock, err := openLock(path)
	if err != nil {
		return nil, fmt.Errorf("runtime_dir %s: %w; set daemon.runtime_dir to a directory that hupwatch can write to", path, err)
	}
	d := &runtimeDir{path: path, lock: lock, note: note}
	if err := d.take(); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

// take locks the directory and makes it this hupwatch's.
func (d *runtimeDir) take() error {
	err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("runtime_dir %s: another hupwatch%s uses it; stop that one, or give this one a runtime_dir of its own", d.path, d.holder())
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", d.lock.Name(), err)
	}
	store, err := state.Open(filepath.Join(d.path, "state"))
	if err != nil {
		return err
	}
	survivors, err := store.Survivors()
	if err != nil {
		return err
	}
	if len(survivors) > 0 {
		return d.refuse(survivors)
	}
	if d.wanted, err = store.Wanted(); err != nil {
		return err
	}
	d.ledger, d.store = store, store
	return d.writePID()
}

func (d *runtimeDir) refuse(survivors []state.Survivor) error {
	names, pids := make([]string, len(survivors)), make([]string, len(survivors))
	for i, s := range survivors {
		names[i] = fmt.Sprintf("%s generation %d (pid %d)", s.Service, s.Generation, s.PID)
		pids[i] = strconv.Itoa(s.PID)
	}
	return fmt.Errorf("runtime_dir %s: an earlier hupwatch ended without stopping what it had started; still running: %s; end these, then start hupwatch again: kill %s",
		d.path, strings.Join(names, ", "), strings.Join(pids, " "))
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

// writePID writes down which process holds the directory.
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock == nil {
		return
	}
	_ = os.Remove(d.pidFile())
	d.lock.Close()
}
