//go:build !linux

package process

import "math"

// TasksLeft returns how many processes and threads may be added, and what says so;
// empty if nothing does.
func TasksLeft() (left int, limit string) { return math.MaxInt, "" }
