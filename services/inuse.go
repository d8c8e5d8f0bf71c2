package services

import (
	"regexp"
	"slices"
	"sync"
)

// inUse matches what programs write if something else has the address that they open:
// the words of strerror(3) for EADDRINUSE, its name, its number on Linux, or words like
// "Connection in use" and "Port 3000 is already in use".
// It is made when it is needed: most never need it.
var inUse = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\beaddrinuse\b|\berrno[ :=]*98\b|\b(address|port|socket|connection|endpoint)\b.{0,60}\bin use\b`)
})

// saysInUse reports whether one of the lines says so.
func saysInUse(lines []string) bool { return slices.ContainsFunc(lines, inUse().MatchString) }
