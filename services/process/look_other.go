//go:build !linux

package process

const unseen = "this system does not show who waits for connections"

// Look sees nothing here.
func (p *Process) Look(listeners []Listener) []Sight {
	sights := make([]Sight, len(listeners))
	for i := range sights {
		sights[i].Unseen = unseen
	}
	return sights
}

// CannotLook says why nothing can be seen at all.
func CannotLook() string { return unseen }

// Holder finds nothing here.
func (p *Process) Holder(uint64) (pid int, why string) { return 0, unseen }

// NewListener describes nothing here.
func NewListener(int) (Listener, error) { return Listener{}, nil }

// OtherEnd finds nothing here.
func OtherEnd(int, ...*Process) (inode uint64, err error) { return 0, ErrNotSeen }
