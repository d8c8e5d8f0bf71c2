package journal

import (
	"cmp"
	"strings"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
)

// Events did not always have a field for each thing that they say. Those written before
// are read as if they had.

// renew moves what stood in Reason and Cause into the field for it.
func renew(e *lifecycle.Event) {
	switch e.Kind {
	case lifecycle.KindRequest, lifecycle.KindRequestDone:
		if e.Verb == "" {
			e.Verb, e.Cause = cmp.Or(string(e.Cause), control.VerbReload), ""
			e.Names, e.Reason = split(e.Reason, ","), ""
		}
	case lifecycle.KindAwaits:
		if e.Names == nil {
			e.Names, e.Reason = split(e.Reason, ", "), ""
		}
	case lifecycle.KindHookBegun:
		if e.Hook == "" {
			e.Hook, e.Reason = config.Hook(e.Reason), ""
		}
	case lifecycle.KindHookFailed:
		if hook, failure, ok := strings.Cut(e.Reason, ": "); ok && e.Hook == "" {
			e.Hook, e.Reason = config.Hook(hook), failure
		}
	case lifecycle.KindPutBack:
		if e.Path == "" {
			e.Path, e.Reason, _ = strings.Cut(e.Reason, ", ")
		}
	case lifecycle.KindBegun:
		if e.Version == "" {
			e.Version, e.Reason = e.Reason, ""
		}
	default:
	}
}

// roleOf is what a generation was as far as the numbers tell: a new one has a higher
// number than an old one.
func (f *fold) roleOf(e *lifecycle.Event) lifecycle.Role {
	if e.Generation == 0 || len(e.Reloads) == 0 {
		return ""
	}
	if r := f.find(e.Service, e.Reloads[0]); r != nil && r.Generation != 0 && int32(e.Generation) >= r.Generation {
		return lifecycle.RoleIncoming
	}
	return lifecycle.RoleOld
}
