//go:build !linux

package process

// MayLimit finds nothing out here: only a start shows whether a limit can be set.
func MayLimit(Limit) error { return nil }
