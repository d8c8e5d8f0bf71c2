//go:build !linux

package process

import "syscall"

// Alive reports whether a process with this number runs. This system does not say
// more.
func (id Identity) Alive() bool {
	err := syscall.Kill(id.PID, 0)
	return err == nil || err == syscall.EPERM
}

// ticks are 0: this system does not say when a process started.
func ticks() uint64 { return 0 }

// BootID is empty: this system does not tell one boot from another.
func BootID() string { return "" }

func livingGroups() map[int]bool { return nil }
