package process

// Holder is a process that listens at an address.
type Holder struct {
	PID  int
	Name string
	// Ours is set if it is a hupwatch, or was started by one.
	Ours bool
}
