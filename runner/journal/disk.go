package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// keptEvents is how many events are kept, in keptBytes at most.
	keptEvents = 1000
	keptBytes  = 1 << 20
	// smallest is the size up to which a file is never written anew.
	smallest = 1 << 20
	// pendingBytes bounds the lines that are kept in memory.
	pendingBytes = 1 << 19
)

var errNoJournal = errors.New("it is not a journal of this hupwatch")

// disk is the file. What it does not take is kept in memory and written later.
type disk struct {
	path string // empty for none

	mu      sync.Mutex // guards what is below
	file    *os.File   // nil until it is written
	size    int64      // up to the end of the last whole line
	begin   int64      // where the events begin
	limit   int64      // when larger, it is written anew
	pending []byte     // the lines it did not take
	lacking bool       // some of those had to be forgotten
}

// open reads what the file says into f. A file that is not a journal, or that cannot be
// understood in full, is moved aside.
func (d *disk) open(f *fold) error {
	if d.path == "" {
		return nil
	}
	file, err := os.OpenFile(d.path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		if err = d.load(file, f); err == nil {
			d.file = file
			return nil
		}
		_ = file.Close()
		d.size, d.begin = 0, 0
	}
	bad := d.path + ".bad"
	if err := os.Rename(d.path, bad); err != nil {
		return fmt.Errorf("move unreadable journal aside: %w", err)
	}
	return fmt.Errorf("read journal %s: %w; it is now %s", d.path, err, bad)
}

// load reads a file up to its last whole line: what comes after that is of a
// hupwatch that was killed while it wrote.
func (d *disk) load(file *os.File, f *fold) error {
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is not a regular file: %w", errNoJournal)
	case info.Size() == 0: // the host went down before it was written
		d.lacking = true
		return nil
	}
	in := bufio.NewReaderSize(file, 1<<16)
	first := make([]byte, len(header))
	if _, err := io.ReadFull(in, first); err != nil || string(first) != header {
		return errNoJournal
	}
	d.size = int64(len(header))
	if err := d.read(in, &reader{fold: f, known: make(map[string]string)}); err != nil {
		return err
	}
	d.limit = limitFor(d.begin + min(d.size-d.begin, keptBytes))
	return nil
}

// read reads the lines after the header. It goes on after one that cannot be
// understood: what the others say is remembered all the same.
func (d *disk) read(in *bufio.Reader, r *reader) error {
	var damage error
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		d.size += int64(len(line))
		if err := r.read(line[:len(line)-1]); err != nil && damage == nil {
			damage = fmt.Errorf("the line that ends at byte %d: %w", d.size, err)
		}
		if r.begun && d.begin == 0 {
			d.begin = d.size
		}
	}
	if !r.begun && damage == nil {
		damage = errors.New("it ends before its events")
	}
	return damage
}

// append writes lines with one call, after the last whole line. It overwrites what a
// failed call left there: the beginning of the same lines, or a part of a line.
func (d *disk) append(lines []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.pending) > 0 || d.file == nil || d.lacking {
		d.pending = append(d.pending, lines...)
		lines = d.pending
	}
	if len(lines) == 0 {
		return nil
	}
	if d.file == nil || d.lacking {
		d.bound()
		return nil
	}
	if _, err := d.file.WriteAt(lines, d.size); err != nil {
		if len(d.pending) == 0 {
			d.pending = bytes.Clone(lines)
		}
		d.bound()
		return fmt.Errorf("write journal: %w; it goes on in memory", err)
	}
	d.size += int64(len(lines))
	d.pending = nil
	return nil
}

// bound forgets the older half of the pending lines if there are too many.
func (d *disk) bound() {
	if len(d.pending) > pendingBytes {
		d.pending = bytes.Clone(lastLines(d.pending, keptEvents, pendingBytes/2))
		d.lacking = d.path != ""
	}
}

// due reports whether the file is to be written anew: for the first time, because it
// lacks something, or because it has grown to twice what is worth keeping.
func (d *disk) due() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.path != "" && (d.file == nil || d.lacking || d.size > d.limit)
}

// rewrite replaces the file by one with what is remembered and the last events.
func (d *disk) rewrite(kept []byte, p past) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	events := d.last()
	marker := fmt.Appendf(nil, pastPrefix+`%d,"last_id":%d,"latest":%d}`+"\n", bytes.Count(events, []byte("\n")), p.LastID, p.Latest)
	spare := d.path + ".new"
	file, err := writeFile(spare, []byte(header), kept, marker, events)
	if err == nil {
		if err = os.Rename(spare, d.path); err != nil {
			_ = file.Close()
		}
	}
	if err != nil {
		_ = os.Remove(spare) // half a file helps nobody, least of all a full disk
		d.bound()
		return fmt.Errorf("write journal anew: %w; it goes on in memory", err)
	}
	if d.file != nil {
		_ = d.file.Close()
	}
	d.file, d.begin = file, int64(len(header)+len(kept)+len(marker))
	d.size = d.begin + int64(len(events))
	d.limit = limitFor(d.size)
	d.pending, d.lacking = nil, false
	return nil
}

// writeFile makes a file and returns it open.
func writeFile(path string, parts ...[]byte) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if _, err := file.Write(part); err != nil {
			_ = file.Close()
			return nil, err
		}
	}
	return file, nil
}

// limitFor is the size at which a file is written anew, if kept bytes of it are worth
// keeping.
func limitFor(kept int64) int64 { return max(smallest, 2*kept) }

// tail returns the lines of the last events.
func (d *disk) tail() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last()
}

func (d *disk) last() []byte {
	n := min(d.size-d.begin, keptBytes)
	text := make([]byte, n, n+int64(len(d.pending)))
	if n > 0 {
		if _, err := d.file.ReadAt(text, d.size-n); err != nil {
			text = text[:0]
		}
	}
	if n < d.size-d.begin { // it begins within a line
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return lastLines(append(text, d.pending...), keptEvents, keptBytes)
}

// lastLines returns the last lines of a text, of at most size bytes in all.
func lastLines(text []byte, lines, size int) []byte {
	if len(text) > size {
		text = text[len(text)-size:]
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	begin := len(text)
	for range lines {
		if begin == 0 {
			break
		}
		begin = bytes.LastIndexByte(text[:begin-1], '\n') + 1
	}
	return text[begin:]
}

func (d *disk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file != nil {
		_ = d.file.Close()
		d.file = nil
	}
}
