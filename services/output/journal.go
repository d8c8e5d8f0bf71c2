package output

import (
	"slices"
	"sync"
	"time"

	"hupwatch/services/mailbox"
	"hupwatch/services/visible"
)

// Stream says which of its outputs a service wrote something to.
type Stream string

// The streams. Without the key stderr, standard error goes into Out.
const (
	Out Stream = "out"
	Err Stream = "err"
)

// Line is one line that a service wrote.
type Line struct {
	Time       time.Time
	Service    string
	Generation int
	Instance   int
	Stream     Stream
	// Text has nothing in it that could do harm on a terminal. A line of more than
	// 8 KiB comes in several.
	Text string
}

// How much of the lines of one service is kept and handed on.
const (
	journalBytes  = 64 << 10
	followerLines = 2048
	tailLines     = 20
	tailBytes     = 4 << 10
)

// journal keeps the last lines that came from somewhere.
type journal struct {
	service   string
	forgotten bool // the hub's, under its lock

	mu        sync.Mutex // guards what is below
	ring      ring
	followers []*mailbox.Box[Line]
}

// newTail returns a journal for what one generation that serves leaves behind.
func newTail() *journal {
	return &journal{ring: newTailRing()}
}

func newTailRing() ring { return ring{limit: tailLines*header + tailBytes, most: tailLines} }

// newStory returns a journal for all that a generation says before it serves.
func newStory(service string) *journal {
	return &journal{service: service, ring: ring{limit: journalBytes}}
}

// shrink makes the journal as small as one of newTail.
func (j *journal) shrink() {
	j.mu.Lock()
	defer j.mu.Unlock()
	small := newTailRing()
	for _, e := range j.ring.last(tailLines) {
		small.add(e)
	}
	j.ring = small
}

// of returns the lines of one generation, whose number no other instance has.
func (j *journal) of(generation int) []Line {
	j.mu.Lock()
	entries := j.ring.last(-1)
	j.mu.Unlock()
	return j.linesOf(slices.DeleteFunc(entries, func(e entry) bool { return e.generation != generation }))
}

func (j *journal) add(e entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring.add(e)
	if len(j.followers) == 0 {
		return
	}
	line := j.line(e)
	for _, box := range j.followers {
		box.Put(line)
	}
}

// lines returns the last n lines, all of them if n is negative.
func (j *journal) lines(n int) []Line {
	j.mu.Lock()
	entries := j.ring.last(n)
	j.mu.Unlock()
	return j.linesOf(entries)
}

func (j *journal) linesOf(entries []entry) []Line {
	lines := make([]Line, len(entries))
	for i, e := range entries {
		lines[i] = j.line(e)
	}
	return lines
}

func (j *journal) line(e entry) Line {
	return Line{
		Time: time.Unix(0, e.at), Service: j.service, Generation: e.generation, Instance: e.instance,
		Stream: e.stream, Text: string(visible.Append(nil, e.text)),
	}
}

// recall returns the last n entries and has the box get all that follow. Times could
// not separate the two: lines that are read at once have the same one.
func (j *journal) recall(n int, box *mailbox.Box[Line]) []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.followers = append(j.followers, box)
	return j.ring.last(n)
}

// unfollow returns how many followers are left.
func (j *journal) unfollow(box *mailbox.Box[Line]) (left int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.followers = slices.DeleteFunc(j.followers, func(other *mailbox.Box[Line]) bool { return other == box })
	return len(j.followers)
}

// clear lets go of the lines, and returns how many followers there are.
func (j *journal) clear() (followers int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring = ring{limit: j.ring.limit, most: j.ring.most}
	return len(j.followers)
}
