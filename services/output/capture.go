package output

import "unicode/utf8"

// Capture is where the output of one generation goes.
type Capture struct {
	stdout, stderr int
	streams        []*stream
	tail           *journal
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

// Tail returns the last lines that the generation wrote, 20 lines and 4 KiB at
// most, and none where hupwatch does not see them. Once its process has exited,
// nothing that it wrote is missing. It does not block.
func (c *Capture) Tail() []string {
	var tail []string
	for _, s := range c.streams {
		s.catchUp()
	}
	for _, line := range c.tail.lines(-1) {
		tail = append(tail, line.Text)
	}
	for _, s := range c.streams {
		if rest := s.rest(); rest != "" {
			tail = append(tail, rest)
		}
	}
	return clip(tail)
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
		last, at := lines[first-1], tailBytes
		for !utf8.RuneStart(last[at]) {
			at--
		}
		return []string{last[:at]}
	}
	return lines[first:]
}
