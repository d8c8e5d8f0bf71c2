package services

import (
	"crypto/sha256"
	"encoding/hex"

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
	// Stored is set for a release that an earlier hupwatch has written down: it has
	// neither an environment nor a credential until it is renewed.
	Stored *Stored
}

// Stored tells the environment of a release that was written down from another one.
// What is in it, which may be secret, it does not tell.
type Stored struct{ Salt, Sum string }

// NewStored digests an environment.
func NewStored(salt string, env []string) *Stored {
	h := sha256.New()
	h.Write([]byte(salt))
	for _, entry := range env {
		h.Write([]byte{0})
		h.Write([]byte(entry))
	}
	const enough = 16
	return &Stored{salt, hex.EncodeToString(h.Sum(nil)[:enough])}
}

// Program tells a program from one that was put in its place.
type Program struct {
	Size     int64
	Modified int64 // nanoseconds since 1970
}
