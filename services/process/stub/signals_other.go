//go:build !linux

package stub

// clearSignals does nothing: syscall alone has no way to do it.
func clearSignals() {}
