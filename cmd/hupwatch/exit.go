package main

import (
	"errors"

	"hupwatch/runner/control"
)

// The exit codes of the commands.
const (
	exitDone        = 0
	exitOther       = 1
	exitUsage       = 2 // bad usage or configuration
	exitUnknown     = 3 // unknown name, or wanted down; of status: not running
	exitUnreachable = 4 // no hupwatch answers, or it refuses
	exitDown        = 5 // something does not serve
	exitLost        = 6 // the outcome is not known
)

// The exit codes of the daemon alone, as in sysexits.h. A crash of the Go runtime ends
// with 2, and supervisors must be able to tell these apart.
const (
	exitDaemonUsage  = 64 // EX_USAGE
	exitDaemonConfig = 78 // EX_CONFIG
)

// errUnfinished says that an answer ended before the request was done.
var errUnfinished = errors.New("unfinished")

// exitOf is the exit code of a request that came to these results and errors. That of
// a reload says more than done or not done. Of several results, errors or services the
// highest code counts, so that a success never hides a failure.
func exitOf(verb string, results []control.Reload, failures []error) int {
	code := exitDone
	for _, err := range failures {
		code = max(code, exitOfError(verb, err))
	}
	for _, r := range results {
		if !r.Done { // and nothing more comes
			code = max(code, exitOfError(verb, errUnfinished))
		}
		for _, s := range r.Services {
			if s.Result != "" {
				code = max(code, exitOfService(verb, s))
			}
		}
	}
	return code
}

// exitOfError is the exit code of a request that was refused, or could not be
// followed to its end.
func exitOfError(verb string, err error) int {
	if refused, ok := errors.AsType[*control.Error](err); ok {
		switch refused.Reason {
		case control.ReasonUsage, control.ReasonConfig, control.ReasonConflict:
			return exitUsage
		case control.ReasonUnknown, control.ReasonDown:
			return exitUnknown
		case control.ReasonForbidden, control.ReasonEnding, control.ReasonFailed:
		}
		return exitUnreachable
	}
	switch {
	case errors.Is(err, control.ErrUnreachable):
		return exitUnreachable
	case verb == control.VerbReload:
		return exitLost
	}
	return exitOther
}

// exitOfService is the exit code for what a request came to for one service.
func exitOfService(verb string, s control.ServiceReload) int {
	good := false
	switch s.Result {
	case control.ResultPromoted, control.ResultStarted, control.ResultStopped, control.ResultSignalled, control.ResultSkipped:
		good = true
	}
	switch {
	case verb != control.VerbReload && good:
		return exitDone
	case verb != control.VerbReload:
		return exitOther
	case s.Result == control.ResultAborted && s.Wanted == control.WantedDown: // somebody stopped it meanwhile
		return exitUnknown
	case s.Result == control.ResultAborted: // hupwatch ends
		return exitLost
	case s.Result == control.ResultFailed, s.Wanted == control.WantedUp && !serves(s.State):
		return exitDown
	case good:
		return exitDone
	}
	return exitOther
}

// serves reports whether a service in this state does what it is there for, as far as is
// known.
func serves(state string) bool { return control.Does(state) || state == "" }

// exitOfStatus is the exit code that says if these services run, or are done: with names
// all of them, else those wanted up.
func exitOfStatus(found []control.Service, byName bool) int {
	for _, svc := range found {
		if (byName || svc.Wanted == control.WantedUp) && !control.Does(svc.State) {
			return exitUnknown
		}
	}
	return exitDone
}

// failure is an error that is not bad usage. Without err its message was printed
// before.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return "told already"
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// ended makes an exit code an error. For exitDone it is nil.
func ended(code int) error {
	if code == exitDone {
		return nil
	}
	return &failure{code: code}
}

// unanswered is an error of a client, with its exit code.
func unanswered(err error) error {
	if err == nil {
		return nil
	}
	code := exitOfError("", err)
	if code == exitOther { // an answer that makes no sense
		code = exitUnreachable
	}
	return &failure{code: code, err: err}
}
