//go:build !linux

package output

import "errors"

// openPipe needs Linux.
func openPipe() (reader, writer int, err error) {
	return -1, -1, errors.New("there is no runtime_dir to put one in: set daemon.runtime_dir")
}
