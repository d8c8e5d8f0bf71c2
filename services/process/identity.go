package process

// Identity tells a process from every other one, past and future.
type Identity struct {
	PID int `json:"pid"`
	// It started between Start and Latest, in clock ticks since boot; both are 0
	// if the system does not say. The kernel gives no number to two processes
	// within so short a time.
	Start  uint64 `json:"start"`
	Latest uint64 `json:"latest"`
	// Boot is the identity of the boot it was started in; empty if the system
	// has none.
	Boot string `json:"boot"`
}
