//go:build !linux

package process

// CloseOnExec keeps the descriptors that hupwatch was started with, but its
// standard ones, from its children. It is called first thing.
func CloseOnExec() error { return closeOnExecOneByOne("/dev/fd") }
