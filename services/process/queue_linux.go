package process

import (
	"encoding/binary"
	"strconv"
)

// Queue is the sockets on which a process waits for connections, and nobody else does.
type Queue struct{ inodes []uint64 }

// QueueAt returns the queue of the unix sockets that a process and its descendants
// listen on at a path, as it was bound. It is empty if the system does not show them,
// as with a process in another network namespace.
func QueueAt(pid int, path string) (q Queue) {
	if !sameNetwork(pid) {
		return q
	}
	for s := range listeningUnix("/proc/"+strconv.Itoa(pid)+"/net/unix", socketsOf(pid)) {
		if inode, err := strconv.ParseUint(s.inode, 10, 64); err == nil && s.name == path {
			q.inodes = append(q.inodes, inode)
		}
	}
	return q
}

// Waiting returns how many connections nobody has accepted yet. It is 0 if that cannot
// be seen, or if the sockets are closed. It needs unix_diag of the kernel (Linux 3.3).
func (q Queue) Waiting() int {
	n := 0
	for _, inode := range q.inodes {
		length, err := unixAttribute(inode, showQueue, attrQueue)
		if err == nil && len(length) >= 4 {
			n += int(binary.NativeEndian.Uint32(length))
		}
	}
	return n
}
