//go:build !linux

package sockets

// shutDown reports whether somebody shut a listening unix socket down, which only
// Linux tells.
func shutDown(int) bool { return false }
