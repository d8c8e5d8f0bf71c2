// Package journal remembers what happened, over a restart of hupwatch: what
// became of the last reloads of every service, of the last requests as a whole,
// and the last events.
//
//	events ──▶ fold: entries and requests, in memory ──▶ Last, History, Request
//	   │         │ ▲
//	   │         ▼ │ when the file is rewritten, when it is opened
//	   └──────▶ disk: one file of lines ──▶ Past
//
// The file has a line for each event. When it has grown beyond need it is written
// anew, with what was remembered in front of the last events. It is a record for
// people, and hupwatch itself does not depend on it: it is not synced, and if something
// is wrong with it, hupwatch says so and goes on.
package journal

import (
	"errors"
	"slices"
	"sync"
	"time"

	"hupwatch/services/lifecycle"
)

const (
	// atOnce is how many events are written with one call at most.
	atOnce = 256
	// keepBuffer is the largest buffer that is kept from one batch to the next.
	keepBuffer = 4096
	// retryAfter is how long to wait before the file is written anew again if
	// that failed.
	retryAfter = 5 * time.Second
)

// Journal is what is remembered. Any goroutine may ask it; one records.
type Journal struct {
	trouble func(error)

	mu   sync.Mutex // guards fold
	fold *fold

	disk *disk // has a mutex of its own: only Past waits for what is slow

	// What is below belongs to the goroutine that records.
	buffer  []byte
	failing bool
	tried   time.Time
}

// Open returns the journal in the file of that path. If the path is empty, it is only
// remembered as long as hupwatch runs. There always is one: a file that cannot be
// understood is moved aside, and one that cannot be written is tried again later.
// trouble is called once for that, and must not record.
func Open(path string, trouble func(error)) *Journal {
	j := &Journal{trouble: trouble, fold: newFold(), disk: &disk{path: path}}
	j.say(j.disk.open(j.fold))
	j.failing = false
	j.fold.abort()
	return j
}

// Record remembers events. They are on disk when it returns, or kept in memory
// until the disk takes them.
func (j *Journal) Record(events []lifecycle.Event) {
	for batch := range slices.Chunk(events, atOnce) {
		lines := j.buffer[:0]
		for i := range batch {
			lines = appendEvent(lines, &batch[i])
		}
		j.take(batch)
		j.save(lines, batch[len(batch)-1].At)
		j.buffer = lines
	}
	if cap(j.buffer) > keepBuffer {
		j.buffer = nil
	}
}

func (j *Journal) take(events []lifecycle.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range events {
		j.fold.take(&events[i])
	}
}

// save writes lines, and the whole file anew if that is due.
func (j *Journal) save(lines []byte, now time.Time) {
	err := j.disk.append(lines)
	if j.disk.due() {
		if since := now.Sub(j.tried); since >= 0 && since < retryAfter {
			return
		}
		if err = j.rewrite(); err != nil {
			j.tried = now
		}
	}
	j.say(err)
}

func (j *Journal) rewrite() error {
	j.mu.Lock()
	j.fold.forget()
	kept, err := j.fold.lines()
	p := past{LastID: j.fold.lastID, Latest: j.fold.latest}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	return j.disk.rewrite(kept, p)
}

// say tells what went wrong, once until all is well again.
func (j *Journal) say(err error) {
	if err != nil && !j.failing {
		j.trouble(err)
	}
	j.failing = err != nil
}

// Close writes the file anew a last time: the next hupwatch reads it faster, and
// finds what could not be written before. Nothing may be recorded after it.
func (j *Journal) Close() error {
	defer j.disk.close()
	if j.disk.path == "" {
		return nil
	}
	if err := j.rewrite(); err != nil {
		return errors.Join(err, j.disk.append(nil))
	}
	return nil
}

// LastID returns the highest id any request had, 0 if there was none.
func (j *Journal) LastID() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fold.lastID
}

// Last returns what became of the last request for a service that is over; if
// there was none, of the last start of its own that failed.
func (j *Journal) Last(service string) (Reload, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.fold.last(service)
	if r == nil {
		return Reload{}, false
	}
	return r.public(), true
}

// History returns what is remembered of a service, the newest first, also what
// is under way.
func (j *Journal) History(service string) []Reload {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []Reload
	for r := j.fold.services[service]; r != nil; r = r.before {
		all = append(all, r.public())
	}
	return all
}

// Request returns what became of a request so far.
func (j *Journal) Request(id uint64) (Request, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	q := j.fold.request(id)
	if q == nil {
		return Request{}, false
	}
	return q.public(), true
}

// Past is what the journal has of the last events at some moment.
type Past struct{ text []byte }

// Past returns the last events as of now, a thousand, or fewer if they are long. The
// slow part is left to Events.
func (j *Journal) Past() Past { return Past{j.disk.tail()} }

// Events returns them, the oldest first.
func (p Past) Events() []lifecycle.Event {
	var events []lifecycle.Event
	for line := range linesOf(p.text) {
		if e, err := parseEvent(line); err == nil {
			events = append(events, e)
		}
	}
	return events
}
