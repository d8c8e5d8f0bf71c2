//go:build !linux

package process

// Queue is the sockets on which a process waits for connections. This system does not
// show them.
type Queue struct{}

// QueueAt returns an empty queue.
func QueueAt(int, string) Queue { return Queue{} }

// Waiting returns 0: it cannot be seen.
func (Queue) Waiting() int { return 0 }
