package services

import "time"

// gatePatience is how long a start waits for others to get out of its way.
const gatePatience = time.Second

// Gate keeps a host with a thousand services from doing a thousand things with
// its file system at the same time: each would cost a thread that stays. It is
// no lock: where those inside hang, the others go in after a while.
type Gate chan struct{}

// NewGate returns a gate for so many at a time.
func NewGate(width int) Gate { return make(Gate, width) }

// Enter waits its turn and returns the function to leave with.
func (g Gate) Enter() (leave func()) {
	patience := time.NewTimer(gatePatience)
	defer patience.Stop()
	select {
	case g <- struct{}{}:
		return func() { <-g }
	case <-patience.C:
		return func() {}
	}
}
