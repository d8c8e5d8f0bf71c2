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
// process was forked, or the fork failed. Before that, hupwatch cannot notice the
// end of the output.
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

// Settle is called when the generation serves: from now on less is kept of what it
// writes. It does not block.
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

// Settled reports whether Settle was called.
func (c *Capture) Settled() bool { return c.settled }

// Tail returns the lines that say how the generation ended, 20 lines and 4 KiB at most:
// its last lines and, if not all fit, those that name a cause. A line like
// "[... 40 lines]" stands for what was left out in between. There are none if hupwatch
// does not see the output. Of a generation that never served, it looks at the last
// 64 KiB. Once the process has exited, nothing that it wrote is missing. Tail does not
// block.
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

// lately is how far before the last line of a generation that served a cause is
// looked for.
const lately = 5 * time.Second

// written returns the lines of the generation that are known. If it serves, the
// journal of its service may have more. Those from long before are left out.
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

// clip keeps as many of the last lines as Tail may return. Of a last line that is too
// long it keeps the beginning, which says what it is about.
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
