package main

// The exit codes.
const (
	exitDone  = 0
	exitOther = 1
	exitUsage = 2 // bad usage or configuration
)

// failure is an error that is not bad usage. One without an error has been told
// already.
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

// ended makes an exit code an error, and done none.
func ended(code int) error {
	if code == exitDone {
		return nil
	}
	return &failure{code: code}
}
