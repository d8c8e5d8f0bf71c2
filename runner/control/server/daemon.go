package server

import (
	"context"

	"hupwatch/runner/control"
	"hupwatch/services/mailbox"
)

// Daemon is the hupwatch behind the server. Its methods are called by many goroutines
// at once, and what they return is not changed.
type Daemon interface {
	// Status and Service say how things are, without memory; they do not block.
	Status() control.Status
	Service(name string) (control.Service, bool)
	// Plan says what a HUP would do.
	Plan(ctx context.Context) (control.Plan, error)

	// Ask asks for reload, start, stop, restart, signal or rollback of a service, of all,
	// or, with no name, of those in the request. It returns when the request was
	// accepted, or with a *control.Error. A request ends with an event "reload done":
	// no "stop signal sent" that belongs to it comes later. If a "reload ended" of it
	// says how long it can be taken back, "probation over" or "rolled back" follows.
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

	// Memory and Connections may take some milliseconds. On some systems the
	// connections are not known.
	Memory(services []string) map[string]int64
	Connections(pid int) (n int, known bool)

	// ControlGroup is the group whose members may see status and reload, if there
	// is one. It is asked for every request and does not block.
	ControlGroup() (gid int, ok bool)
}
