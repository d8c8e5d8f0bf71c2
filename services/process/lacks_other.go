//go:build !linux

package process

import "runtime"

// Lacks says what of hupwatch does not work on this system.
func Lacks() []string {
	return []string{
		"on " + runtime.GOOS + " the orphans of a service go to init: hupwatch looks for what is left of a process group once a second",
		"on " + runtime.GOOS + " a process has no identity that outlives hupwatch: the generations of one that crashed are known by their pid alone",
	}
}
