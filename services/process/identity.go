package process

// Identity tells a process from every other one, past and future.
type Identity struct {
	PID int `json:"pid"`
	// Start is when it started, in clock ticks since boot; 0 where the system
	// does not say.
	Start uint64 `json:"start"`
	// Boot is the identity of the boot it was started in; empty where the system
	// has none.
	Boot string `json:"boot"`
}
