// Package poller waits for many descriptors with one goroutine, so that an idle
// descriptor costs neither a goroutine nor a buffer.
//
//	descriptors ──▶ one epoll ──▶ the runtime's own ──▶ one goroutine ──▶ Handler
//
// If there is no epoll, each descriptor has a goroutine of its own.
package poller

// BufferSize is the size of the buffer that a handler gets.
const BufferSize = 16 << 10

// Handler is told when its descriptor can be read.
type Handler interface {
	// Readable says that a read will not block: there is something, or the end.
	// It is called again, after the other descriptors had their turn, until
	// everything was read; so one read each time is fair. The buffer is valid
	// only during the call. The call must not block.
	//
	// A call that was on its way may come once more after Pause or Remove. So the
	// handler itself must know whether it has closed its descriptor.
	Readable(d *Descriptor, buffer []byte)
}
