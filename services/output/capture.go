package output

import (
	"slices"
	"time"
	"unicode/utf8"
)

// Capture is where the output of one generation goes.
type Capture struct {
	stdout, stderr int
	streams        []*stream
	tail           *journal
	settled        bool // it serves, or did
}

// Descriptors returns what the process of the generation is to have as its
// standard output and error; -1 is /dev/null. They are good until Forked.
func (c *Capture) Descriptors() (stdout, stderr int) { return c.stdout, c.stderr }

// Forked closes hupwatch's copies of the descriptors. It is called once the
// process was forked, or could not be: the end of its output is not noticed
// before.
func (c *Capture) Forked() {
	for _, s := range c.streams {
		s.forked()
	}
}

// stop takes back what was made.
func (c *Capture) stop(remove bool) {
	for _, s := range c.streams {
		s.stop(remove)
	}
}

// Settle has no more be kept of what the generation writes than of one that serves.
// It does not block.
func (c *Capture) Settle() {
	if c.settled {
		return
	}
	c.settled = true
	c.tail.shrink()
	for _, s := range c.streams {
		s.hub.settle(s)
	}
}

// Tail returns what tells of how the generation ended, 20 lines and 4 KiB at most, and
// none where hupwatch does not see its output: its last lines and, where those do not
// fit, the ones that name a cause, with a line like "[... 40 lines]" for what was left
// out in between. Of one that never served it knows the last 64 KiB. Once its process
// has exited, nothing that it wrote is missing. It does not block.
func (c *Capture) Tail() []string {
	var tail []string
	for _, s := range c.streams {
		s.catchUp()
	}
	for _, line := range c.written() {
		tail = append(tail, line.Text)
	}
	for _, s := range c.streams {
		if rest := s.rest(); rest != "" {
			tail = append(tail, rest)
		}
	}
	return clip(choose(tail))
}

// lately is how long before its last line a generation that served may have written
// what it is about.
const lately = 5 * time.Second

// written are the lines of the generation that are known. Of one that serves there are
// more with those of its service; what it wrote long before is of no interest.
func (c *Capture) written() []Line {
	own := c.tail.lines(-1)
	if !c.settled || len(c.streams) == 0 {
		return own
	}
	s := c.streams[0]
	all := s.journal.of(s.generation)
	if len(all) <= len(own) {
		return own
	}
	since := all[len(all)-1].Time.Add(-lately)
	first := slices.IndexFunc(all, func(l Line) bool { return l.Time.After(since) })
	return all[min(first, len(all)-len(own)):]
}

// clip keeps of lines what Tail may return. Of a last line that is too long it
// keeps the beginning, which says what it is about.
func clip(lines []string) []string {
	size, first := 0, len(lines)
	for first > 0 && len(lines)-first < tailLines && size+len(lines[first-1]) <= tailBytes {
		first--
		size += len(lines[first])
	}
	if first == len(lines) && first > 0 {
		return []string{clipLine(lines[first-1], tailBytes)}
	}
	return lines[first:]
}

// clipLine keeps the beginning of a line.
func clipLine(line string, most int) string {
	if len(line) <= most {
		return line
	}
	for !utf8.RuneStart(line[most]) {
		most--
	}
	return line[:most]
}
