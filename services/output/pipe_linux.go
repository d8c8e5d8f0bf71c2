package output

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// openPipe is for a hupwatch that has nowhere to put a FIFO: a pipe whose
// writing end is opened anew, so that it can be read from too.
func openPipe() (reader, writer int, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, err
	}
	defer unix.Close(ends[1])
	if err := unix.SetNonblock(ends[0], true); err != nil {
		unix.Close(ends[0])
		return -1, -1, err
	}
	// No O_NOFOLLOW: this path is a link, and is to be followed.
	writer, err = unix.Open("/proc/self/fd/"+strconv.Itoa(ends[1]), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(ends[0])
		return -1, -1, err
	}
	return ends[0], writer, nil
}
