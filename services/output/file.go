package output

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"hupwatch/config"
)

// How an output file is opened. If it is something else, like a FIFO without a
// reader, the call must not hang.
const (
	fileFlags = syscall.O_WRONLY | syscall.O_APPEND | syscall.O_CREAT | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	readFlags = syscall.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	fileMode  = 0o640
)

// fileAtOnce is how much is written to a file with one call: little enough to see
// that a slow disk makes progress.
const fileAtOnce = 64 << 10

// rotation says when a file is rotated and how many old ones are kept.
type rotation struct {
	maxSize int64 // 0 is never
	backups int
}

// file is an output file. If its disk hangs, the methods hang too, so only the
// goroutine of its sink calls them.
type file struct {
	path     string
	rotation atomic.Pointer[rotation]
	trouble  func(text string)

	f      *os.File
	dir    directory // of f
	size   int64
	within int64 // bytes of a line whose end was not written yet
	torn   bool  // the file ended within a line when it was opened
	stuck  bool  // it could not be rotated
}

func (f *file) write(text []byte) (int, error) {
	if f.f == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	n := f.fit(text)
	if n == 0 {
		f.rotate()
		if n = f.fit(text); n == 0 {
			n = min(lines(text, fileAtOnce), fileAtOnce) // better too large than lost
		}
	}
	if err := f.mend(text); err != nil {
		return 0, cause(err)
	}
	n, err := f.f.Write(text[:n])
	f.wrote(text[:n])
	return n, cause(err)
}

// mend ends the line that the file ended within when it was opened, unless the text does.
func (f *file) mend(text []byte) error {
	if !f.torn || text[0] == '\n' {
		f.torn = false
		return nil
	}
	_, err := f.f.WriteString("\n")
	if err == nil {
		f.torn = false
		f.wrote([]byte("\n"))
	}
	return err
}

func (f *file) wrote(text []byte) {
	f.size += int64(len(text))
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		f.within = int64(len(text) - i - 1)
	} else {
		f.within += int64(len(text))
	}
}

// fit returns how much of the text goes into the file as it is: none if it is to
// be rotated first. A line is only cut if it alone is larger than a file.
func (f *file) fit(text []byte) int {
	most := min(lines(text, fileAtOnce), fileAtOnce)
	size := f.rotation.Load().maxSize
	free := size - f.size
	if size == 0 || int64(most) <= free {
		return most
	}
	if free > 0 {
		if i := bytes.LastIndexByte(text[:free], '\n'); i >= 0 {
			return i + 1
		}
	}
	if f.within == 0 && f.size > 0 {
		return 0
	}
	if i := bytes.IndexByte(text[:most], '\n'); i >= 0 {
		most = i + 1
	}
	return int(max(0, min(int64(most), size-f.within)))
}

// await has nothing to wait for: a file always takes more.
func (f *file) await() {}

// open opens the file, or opens it anew: somebody may have moved it away.
func (f *file) open() error {
	dir, err := openDirectory(config.DirOf(f.path))
	if err != nil {
		return cause(err)
	}
	opened, err := dir.open(f.backup(0))
	if errors.Is(err, syscall.ELOOP) {
		err = errors.New("it is a symbolic link, which somebody else may have put there: name the file itself")
	}
	if err != nil {
		dir.close()
		return cause(err)
	}
	info, err := opened.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		opened.Close()
		dir.close()
		return cause(err)
	}
	var within int64
	if f.f != nil {
		if before, err := f.f.Stat(); err == nil && os.SameFile(before, info) {
			within = f.within // who was within a line goes on with it
		}
	}
	f.close()
	f.f, f.dir, f.size, f.within = opened, dir, info.Size(), within
	f.torn = within == 0 && f.size > 0 && dir.endsTorn(f.backup(0), f.size)
	return nil
}

// endsTorn reports whether a file of that size ends within a line: what wrote last did
// not end its own.
func (d directory) endsTorn(name string, size int64) bool {
	file, err := d.read(name)
	if err != nil {
		return false // it cannot be known
	}
	defer file.Close()
	var last [1]byte
	n, _ := file.ReadAt(last[:], size-1)
	return n == 1 && last[0] != '\n'
}

func (f *file) close() {
	if f.f != nil {
		f.f.Close()
		f.dir.close()
	}
	f.f, f.size, f.within = nil, 0, 0
}

// rotate puts the file out of the way and begins a new one. If that does not
// work, it says so once, and the file goes on as it is.
func (f *file) rotate() {
	err := f.shift()
	if err == nil {
		f.stuck = false
		return
	}
	if !f.stuck {
		f.trouble(fmt.Sprintf("rotate %s: %v: it grows until that works", f.path, err))
	}
	f.stuck = true
}

func (f *file) shift() error {
	ours, err := f.f.Stat()
	if err != nil {
		return cause(err)
	}
	if ours.Size() < f.size { // somebody emptied it
		f.size, f.within = ours.Size(), 0
		return nil
	}
	same, err := f.dir.same(f.f, f.backup(0))
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !same: // somebody else has rotated it
		return f.open()
	case err != nil:
		return cause(err)
	}
	if err := f.makeRoom(); err != nil {
		return err
	}
	return f.open()
}

// makeRoom renames the file to FILE.1, and before that the older ones that are in the
// way. If none are kept, it removes the file.
func (f *file) makeRoom() error {
	backups := f.rotation.Load().backups
	if backups == 0 {
		return cause(f.dir.remove(f.backup(0)))
	}
	last := 1
	for ; last < backups; last++ {
		if !f.dir.has(f.backup(last)) {
			break
		}
	}
	for n := last; n > 0; n-- {
		if err := f.dir.rename(f.backup(n-1), f.backup(n)); err != nil {
			return cause(err)
		}
	}
	return nil
}

// backup returns the name of the nth file, the one that is written being 0.
func (f *file) backup(n int) string {
	_, name := config.SplitPath(f.path)
	if n == 0 {
		return name
	}
	return name + "." + strconv.Itoa(n)
}

// cause is the error without the path, which is in every message already.
func cause(err error) error {
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		return of.Err
	}
	if of, ok := errors.AsType[*os.LinkError](err); ok {
		return of.Err
	}
	return err
}
