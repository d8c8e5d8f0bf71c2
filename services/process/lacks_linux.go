package process

// Lacks says what of hupwatch does not work on this system: on Linux, nothing.
func Lacks() []string { return nil }
