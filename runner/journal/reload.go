package journal

import (
	"time"

	"hupwatch/services/lifecycle"
)

// Reload is what a request came to for one service: a reload, or whatever else
// was asked. A start of its own that failed is one too, with no ids.
type Reload struct {
	Service string   `json:"service"`
	IDs     []uint64 `json:"ids,omitempty"` // of the requests it answers, the oldest first
	// What is reload, start, stop, restart, signal or rollback, By who asked.
	What string `json:"what"`
	By   string `json:"by,omitempty"`

	// Result is empty while it is under way, and aborted if hupwatch ended
	// first. It is as of now: rolled_back if the release was taken back later.
	Result lifecycle.Result `json:"result,omitempty"`
	Reason string           `json:"reason,omitempty"`
	// Instance is which one failed, if there are several.
	Instance int `json:"instance,omitempty"`
	// Tail are the last lines the generation that failed wrote.
	Tail []string `json:"tail,omitempty"`

	// The phases, zero for what did not happen. Signalled is when the old generation
	// was sent its stop signal, Exited is when that one was gone, or the one that
	// failed. If there are several instances, Started is of the first, the others are
	// of the last one.
	Asked     time.Time `json:"asked,omitzero"`
	Begun     time.Time `json:"begun,omitzero"`
	Started   time.Time `json:"started,omitzero"`
	Promoted  time.Time `json:"promoted,omitzero"`
	Signalled time.Time `json:"signalled,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	Exited    time.Time `json:"exited,omitzero"`
	// Ready is how long the new generation took from its start to be seen ready or,
	// if nobody said how to see that, to be promoted; Drain how long the old one
	// took to be gone. Both are of the slowest instance, measured on the monotonic
	// clock.
	Ready time.Duration `json:"ready,omitempty"`
	Drain time.Duration `json:"drain,omitempty"`

	// Generation is the new one, Old the one that served before and, if the
	// new one failed, still does.
	Generation int    `json:"generation,omitempty"`
	PID        int    `json:"pid,omitempty"`
	Release    string `json:"release,omitempty"`
	Old        int    `json:"old,omitempty"`
	OldRelease string `json:"old_release,omitempty"`

	// Exit is how the generation that failed ended, or else the old one. Killed says
	// that it took a KILL, Abandoned that even that did not end it.
	Exit      *Exit `json:"exit,omitempty"`
	Killed    bool  `json:"killed,omitempty"`
	Abandoned bool  `json:"abandoned,omitempty"`

	// RolledBack is set if the release was taken back later: then Reason, Tail and
	// Exit are about that.
	RolledBack *RollBack `json:"rolled_back,omitempty"`
}

// Failed reports whether the new generation was no good.
func (r *Reload) Failed() bool { return r.Result.Failed() }

// Exit is how a process ended.
type Exit struct {
	Code   int       `json:"code"`
	Signal string    `json:"signal,omitempty"`
	At     time.Time `json:"at,omitzero"`
	// Reason says why the program never ran.
	Reason string `json:"reason,omitempty"`
}

// RollBack is how a reload was undone.
type RollBack struct {
	At         time.Time `json:"at"`
	Reason     string    `json:"reason"`
	Tail       []string  `json:"tail,omitempty"`
	Instance   int       `json:"instance,omitempty"`
	Generation int       `json:"generation,omitempty"`
	// Exit is how the generation that was no good after all ended.
	Exit *Exit `json:"exit,omitempty"`
	// Release is the one that was gone back to.
	Release string `json:"release,omitempty"`
}

// Request is what somebody asked for, as a whole.
type Request struct {
	ID   uint64 `json:"id"`
	What string `json:"what"`
	By   string `json:"by,omitempty"`
	// Only are the services it was for; none for all of them.
	Only    []string  `json:"only,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	// Done says that every service has answered. A request that Ended but is not Done
	// is aborted, and Reason says why.
	Done   bool   `json:"done"`
	Reason string `json:"reason,omitempty"`
	// Services are what it came to for each, by name, as far as that is known by
	// now; Counts counts their results when it is done, also of those that had
	// nothing to tell.
	Services []Reload                 `json:"services"`
	Counts   map[lifecycle.Result]int `json:"counts,omitempty"`
}
