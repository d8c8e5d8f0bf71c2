package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// MayLimit says why a service could not be given a limit: hupwatch may not raise its own
// hard one. To find out it raises it, if need be, and lowers it again.
func MayLimit(l Limit) error {
	var now unix.Rlimit
	if err := unix.Prlimit(0, l.Resource, nil, &now); err != nil {
		return fmt.Errorf("read limit %s: %w", l.Name, err)
	}
	if l.Hard <= now.Max {
		return nil
	}
	if err := unix.Prlimit(0, l.Resource, &unix.Rlimit{Cur: now.Cur, Max: l.Hard}, nil); err != nil {
		return fmt.Errorf("the hard limit here is %d, and it cannot be raised: %w (%s)", now.Max, err, limitRemedy)
	}
	if err := unix.Prlimit(0, l.Resource, &now, nil); err != nil {
		return fmt.Errorf("lower limit %s again: %w", l.Name, err)
	}
	return nil
}
