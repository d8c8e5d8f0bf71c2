package process

import (
	"cmp"
	"fmt"
	"strconv"
	"syscall"

	"hupwatch/services/process/stub"
)

// ExecError is why a forked process never became the command's own program.
type ExecError struct {
	// Stage is what was being done, as in "exec" or "change to directory".
	Stage string
	// Path is what it was done with: a file, a directory, a user, a limit.
	Path  string
	Errno syscall.Errno

	remedy string
}

// Error says what could not be done, why, and what to do about it.
func (e *ExecError) Error() string {
	if e.remedy == "" {
		return fmt.Sprintf("%s %s: %v", e.Stage, e.Path, e.Errno)
	}
	return fmt.Sprintf("%s %s: %v (%s)", e.Stage, e.Path, e.Errno, e.remedy)
}

// Unwrap returns the error number.
func (e *ExecError) Unwrap() error { return e.Errno }

func newExecError(r stub.Report, spec Spec) *ExecError {
	e := &ExecError{Errno: r.Errno}
	switch r.Stage {
	case stub.OOMScoreAdj:
		e.Stage, e.Path = "set oom_score_adj to", strconv.Itoa(*spec.OOMScoreAdj)
		e.remedy = "only root may lower it, and only Linux has it"
	case stub.Limits:
		l := spec.Limits[r.Index]
		e.Stage, e.Path = "set limit", cmp.Or(l.Name, strconv.Itoa(l.Resource))
		e.remedy = limitRemedy
	case stub.Groups:
		e.Stage, e.Path = "set the groups of user", strconv.FormatUint(uint64(spec.Credential.UID), 10)
		e.remedy = "only root may run services as another user"
	case stub.Group:
		e.Stage, e.Path = "switch to group", strconv.FormatUint(uint64(spec.Credential.GID), 10)
		e.remedy = "only root may run services as another user"
	case stub.User:
		e.Stage, e.Path = "switch to user", strconv.FormatUint(uint64(spec.Credential.UID), 10)
		e.remedy = "only root may run services as another user"
	case stub.Chdir:
		e.Stage, e.Path = "change to directory", spec.Dir
		e.remedy = chdirRemedies[r.Errno]
	case stub.Interpreter:
		e.Stage, e.Path = "exec", spec.Path
		e.remedy = "the file is there: the interpreter in its #! line, or its dynamic loader, is not"
	default:
		e.Stage, e.Path = "exec", spec.Path
		e.remedy = execRemedies[r.Errno]
	}
	return e
}

const limitRemedy = "only root may raise a hard limit, and nofile no further than fs.nr_open"

var chdirRemedies = map[syscall.Errno]string{
	syscall.EACCES: "its user must be able to enter it and every directory above",
}

var execRemedies = map[syscall.Errno]string{
	syscall.EACCES:  "its user must be able to execute the file and enter every directory above; the mount must allow it",
	syscall.ENOEXEC: "a script without a #! line, or built for another architecture",
	syscall.E2BIG:   "its arguments and environment are too long",
	syscall.ETXTBSY: "somebody still writes to the file: move new versions into place instead",
	syscall.EAGAIN:  "its user has as many processes as limit nproc allows",
}
