package process

// MarkVariable names the environment variable that FindMarked looks for. Its
// value is MARK/SERVICE/GENERATION.
const MarkVariable = "HUPWATCH_MARK"

// Living is a process that runs with a mark in its environment.
type Living struct {
	Identity
	Service    string
	Generation int
	// Leader says that it leads its session: it is the main process.
	Leader bool
}
