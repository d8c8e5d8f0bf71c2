package process

import "syscall"

// ExecError is why a forked process never became the command's own program.
type ExecError struct {
	// Stage is what was being done, as in "exec" or "change to directory".
	Stage string
	// Path is what it was done with: a file, a directory, a user, a limit.
	Path  string
	Errno syscall.Errno
}

// Error says what could not be done, why, and what to do about it.
func (e *ExecError) Error() string { return e.Stage + " " + e.Path + ": " + e.Errno.Error() }

// Unwrap returns the error number.
func (e *ExecError) Unwrap() error { return e.Errno }
