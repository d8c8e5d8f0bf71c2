//go:build !linux

package config

import "golang.org/x/sys/unix"

// resources are the resource limits by name, those that all BSDs have.
var resources = map[string]int{
	"core":    unix.RLIMIT_CORE,
	"cpu":     unix.RLIMIT_CPU,
	"data":    unix.RLIMIT_DATA,
	"fsize":   unix.RLIMIT_FSIZE,
	"memlock": unix.RLIMIT_MEMLOCK,
	"nofile":  unix.RLIMIT_NOFILE,
	"nproc":   unix.RLIMIT_NPROC,
	"rss":     unix.RLIMIT_RSS,
	"stack":   unix.RLIMIT_STACK,
}
