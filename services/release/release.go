// Package release makes what a generation is started with out of a configuration and
// of the host as it is at that moment: the directory, the program, the environment,
// the account.
package release

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"

	"hupwatch/config"
	"hupwatch/services/process"
)

// Release is everything a generation is started with. A crash restart uses the
// whole of the one that was promoted last. It is never changed.
type Release struct {
	Service *config.Service
	// Dir is the working directory with its symbolic links resolved.
	Dir string
	// Path is the program. Program tells it from a later one at the same path.
	Path    string
	Program Program
	// Env is the environment without what differs from one generation to the next,
	// and without what comes from hupwatch's own. That is in Inherited, which many
	// releases share. Env goes first.
	Env        []string
	Inherited  []string
	Credential *process.Credential
	// Stored is set for a release that an earlier hupwatch has written down: it has
	// neither an environment nor a credential until it is renewed.
	Stored *Stored
}

// Stored identifies the environment of a release that was written down. It does not
// show what is in it, which may be secret.
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

// Same reports whether a process started with either release would be the same, and
// stay so: only keys that need no new process may differ.
func (rel *Release) Same(other *Release) bool {
	return rel.Starts(other) && !slices.ContainsFunc(config.Changes(rel.Service, other.Service), func(c config.Change) bool { return !c.Live })
}

// Starts reports whether a process started with either release would be the same,
// as far as that depends on the host.
func (rel *Release) Starts(other *Release) bool {
	if rel.Dir != other.Dir || rel.Path != other.Path || rel.Program != other.Program {
		return false
	}
	switch a, b := rel.Stored, other.Stored; {
	case a != nil && b != nil:
		return *a == *b
	case a != nil:
		return *a == *NewStored(a.Salt, other.Env)
	case b != nil:
		return *b == *NewStored(b.Salt, rel.Env)
	}
	return slices.Equal(rel.Env, other.Env) && slices.Equal(rel.Inherited, other.Inherited) && reflect.DeepEqual(rel.Credential, other.Credential)
}
