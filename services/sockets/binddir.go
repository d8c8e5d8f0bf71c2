package sockets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// bindDirMode lets everybody reach the sockets, whose own mode says who may
// connect. Only the service's user can make them.
const bindDirMode = 0o711

// bindDir is the directory that the generations of one service open their sockets
// in, held open.
type bindDir struct {
	path string
	at   int
}

// makeDir makes the directory, or gives the one that is there its owner and mode.
func (l link) makeDir(uid, gid int) (bindDir, error) {
	if err := unix.Mkdirat(l.at, l.dir(), 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return bindDir{}, fmt.Errorf("make the directory %s.d: %w", l.path, err)
	}
	d, err := l.openDir()
	if err != nil {
		return d, err
	}
	if err := d.giveTo(uid, gid); err != nil {
		d.close()
		return d, fmt.Errorf("the directory %s %w", d.path, err)
	}
	return d, nil
}

func (l link) openDir() (bindDir, error) {
	d := bindDir{path: l.path + ".d"}
	var err error
	d.at, err = unix.Openat(l.at, l.dir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return d, fmt.Errorf("%s is no directory: remove it, or choose another path", d.path)
	case err != nil:
		return d, fmt.Errorf("open the directory %s: %w", d.path, err)
	}
	return d, nil
}

// inDir does something in the directory, if it is there.
func (l link) inDir(do func(bindDir) error) error {
	d, err := l.openDir()
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	return do(d)
}

// removeDir removes the directory, unless there is still something in it.
func (l link) removeDir() error {
	switch err := unix.Unlinkat(l.at, l.dir(), unix.AT_REMOVEDIR); err {
	case nil, unix.ENOENT, unix.ENOTEMPTY, unix.EEXIST:
		return nil
	default:
		return fmt.Errorf("remove the directory %s.d: %w", l.path, err)
	}
}

func (d bindDir) close() { unix.Close(d.at) }

// giveTo makes owner and mode right. It does not touch a third user's directory, and
// one of root's or hupwatch's only if there are just sockets in it: if the service's
// user owns the directory above, that user can rename any other to this name.
func (d bindDir) giveTo(uid, gid int) error {
	var st unix.Stat_t
	if err := unix.Fstat(d.at, &st); err != nil {
		return err
	}
	if uid < 0 {
		uid = os.Geteuid()
	}
	if gid < 0 {
		gid = int(st.Gid)
	}
	owner, ours := int(st.Uid), st.Uid == 0 || int(st.Uid) == os.Geteuid()
	chown, chmod := owner != uid || int(st.Gid) != gid, st.Mode&0o7777 != bindDirMode
	switch {
	case owner != uid && !ours:
		return fmt.Errorf("belongs to uid %d: give it to uid %d (chown), or stop the service and remove it", owner, uid)
	case (chown || chmod) && ours && !d.onlySockets():
		return errors.New("has other files than sockets in it: remove them, or choose another path")
	}

	if chmod {
		if err := unix.Fchmod(d.at, bindDirMode); err != nil {
			return fmt.Errorf("cannot be given the mode %04o: %w", bindDirMode, err)
		}
	}
	if chown {
		if err := unix.Fchown(d.at, uid, gid); err != nil {
			return fmt.Errorf("cannot be given to %d:%d: %w", uid, gid, err)
		}
	}
	return nil
}

func (d bindDir) onlySockets() bool {
	names, err := d.names()
	return err == nil && !slices.ContainsFunc(names, func(name string) bool {
		mode, err := fileType(d.at, name)
		return err != nil || mode != unix.S_IFSOCK
	})
}

// makeWay removes what a killed generation left at the path where another will open
// its socket. A connection shows whether a process still listens there.
func (d bindDir) makeWay(name string) error {
	mode, err := fileType(d.at, name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return err
	case mode == unix.S_IFSOCK:
		if err := stale(d.path + "/" + name); err != nil {
			return fmt.Errorf("%s/%s: %w", d.path, name, err)
		}
	}
	return d.remove(name)
}

func (d bindDir) remove(name string) error { return unlink(d.at, name) }

// sweep removes what belongs to sockets that are not at the paths in keep.
func (d bindDir) sweep(keep []string) error {
	names, err := d.names()
	if err != nil {
		return err
	}
	kept := make(map[string]bool, len(keep))
	for _, path := range keep {
		kept[filepath.Base(path)] = true
	}
	var errs []error
	for _, name := range names {
		if bind, ok := belongsTo(name); ok && !kept[bind] {
			errs = append(errs, d.remove(name))
		}
	}
	return errors.Join(errs...)
}

// belongsTo returns the name of the socket, N.sock, that a file is or belongs to.
func belongsTo(name string) (string, bool) {
	number, _, ok := strings.Cut(name, ".sock")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
		return "", false
	}
	return number + ".sock", true
}

func (d bindDir) names() ([]string, error) {
	at, err := unix.Openat(d.at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(at), d.path)
	defer f.Close()
	return f.Readdirnames(-1)
}

// requireSocket returns an error unless there is a socket at bind.
func (l link) requireSocket(bind string) error {
	d, err := l.openDir()
	if err != nil {
		return err
	}
	defer d.close()
	mode, err := fileType(d.at, filepath.Base(bind))
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("the service opened no socket at %s: have it listen on ${HUPWATCH_BIND}, by an argument of its command or a variable of its environment", bind)
	case err == nil && mode != unix.S_IFSOCK:
		return fmt.Errorf("what the service made at %s is no socket: have it listen there, and on nothing else", bind)
	}
	return err
}
