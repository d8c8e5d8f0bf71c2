//go:build !linux

package process

import "math"

// TasksLeft returns no limit: this system is not asked.
func TasksLeft() (left int, limit string) { return math.MaxInt, "" }
