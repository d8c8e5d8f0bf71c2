//go:build !netbsd

package runner

import "golang.org/x/sys/unix"

const clockMonotonic = unix.CLOCK_MONOTONIC
