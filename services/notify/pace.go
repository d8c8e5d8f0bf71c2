package notify

import "time"

// How many reads of one descriptor are made in how much time: far more than any
// program has to say, and few enough to cost next to nothing.
const (
	paceReads  = 16
	paceWindow = 10 * time.Millisecond
)

// pace bounds how fast one descriptor is read.
type pace struct {
	end  time.Time // of the window
	left int       // reads in it
}

// begin begins a new window if it is time.
func (p *pace) begin(now time.Time) {
	if !now.Before(p.end) {
		p.end, p.left = now.Add(paceWindow), paceReads
	}
}

// read reports whether one more read may be made, and counts it.
func (p *pace) read() bool {
	if p.left == 0 {
		return false
	}
	p.left--
	return true
}
