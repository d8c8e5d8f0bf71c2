package server

import "time"

// limits are what clients may cost.
type limits struct {
	header, body, write, idle time.Duration
	// farewell is for the last lines of the answers under way at the end.
	farewell time.Duration
	// second is how often there are lines about draining generations, and how long a
	// value that is expensive to get is kept.
	second      time.Duration
	headerBytes int
	bodyBytes   int64

	// clients is how many connections there may be, others how many of them may
	// belong to users other than root and the owner, and each how many to one of
	// these. strangers is for users that may do nothing, and surplus for clients
	// beyond the limits: so many of them are told so at once.
	clients, others, each, strangers, surplus int
	// turn is how long root and the owner wait for their turn.
	turn time.Duration
}

var defaults = limits{
	header:      5 * time.Second,
	body:        10 * time.Second,
	write:       10 * time.Second,
	idle:        30 * time.Second,
	farewell:    2 * time.Second,
	second:      time.Second,
	headerBytes: 4 << 10, // to which net/http adds 4 KiB
	bodyBytes:   64 << 10,
	clients:     256,
	others:      128,
	each:        64,
	strangers:   8,
	surplus:     16,
	turn:        5 * time.Second,
}
