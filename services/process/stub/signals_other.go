//go:build !linux

package stub

// clearSignals has no way to do so without more than syscall.
func clearSignals() {}
