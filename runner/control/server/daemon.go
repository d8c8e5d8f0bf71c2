package server

import (
	"context"

	"hupwatch/runner/control"
	"hupwatch/services/mailbox"
)

// Daemon is what the server speaks for. Its methods are called by many
// goroutines at once, and what they return is not changed.
type Daemon interface {
	// Status and Service say how things are, without memory; they do not block.
	Status() control.Status
	Service(name string) (control.Service, bool)
	// Plan says what a HUP would do.
	Plan(ctx context.Context) (control.Plan, error)

	// Ask asks for reload, start, stop, restart, signal or rollback of a service, of all,
	// or, with no name, of those in the request. It returns when the request was
	// accepted, or with a *control.Error. Its end is an event "reload done", after
	// which there is none "stop signal sent" that belongs to it. One "reload ended"
	// of it that says how long it can be taken back is followed by "probation over",
	// or by "rolled back".
	Ask(ctx context.Context, what, name string, q control.Request, by string) (id uint64, err error)
	// Reload knows every id that Ask has returned, until it is forgotten. It says
	// Done before the event "reload done" comes and after all others that matter.
	Reload(id uint64) (control.Reload, bool)

	// Follow returns a box with every event from now on, until cancel. A slow
	// reader loses some, which the box counts. Events returns what is remembered
	// too.
	Follow() (next *mailbox.Box[control.Event], cancel func())
	Events() (past []control.Event, next *mailbox.Box[control.Event], cancel func())
	// Lines is the same for the output of a service: its last n lines, and what
	// comes.
	Lines(service string, n int) (past []control.Line, next *mailbox.Box[control.Line], cancel func())
	// Written returns what is kept of the output of one generation.
	Written(service string, generation int) []control.Line

	// Memory and Connections may take some milliseconds. Connections does not
	// know them everywhere.
	Memory(services []string) map[string]int64
	Connections(pid int) (n int, known bool)

	// ControlGroup is the group whose members may see status and reload, if there
	// is one. It is asked for every request and does not block.
	ControlGroup() (gid int, ok bool)
}
