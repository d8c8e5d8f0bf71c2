package services

import (
	"hupwatch/config"
	"hupwatch/services/process"
)

// Release is everything a generation is started with. A crash restart uses the
// whole of the one that was promoted last. It is never changed.
type Release struct {
	Service *config.Service
	// Dir is the working directory with its symbolic links resolved.
	Dir string
	// Path is the program, and Program which one that was.
	Path    string
	Program Program
	// Env is the environment but for what differs from one generation to the
	// next, and for what comes from hupwatch's own and is in Inherited: many
	// releases share that. Env goes first.
	Env        []string
	Inherited  []string
	Credential *process.Credential
}

// Program tells a program from one that was put in its place.
type Program struct {
	Size     int64
	Modified int64 // nanoseconds since 1970
}
