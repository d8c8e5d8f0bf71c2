//go:build !linux

package sockets

// shutDown reports whether somebody shut a listening unix socket down. Only Linux
// shows that.
func shutDown(int) bool { return false }
