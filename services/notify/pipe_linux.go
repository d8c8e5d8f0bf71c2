package notify

import "golang.org/x/sys/unix"

func openPipe() (reader, writer int, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, err
	}
	if err := unix.SetNonblock(ends[0], true); err != nil {
		closeAll(ends[:])
		return -1, -1, err
	}
	return ends[0], ends[1], nil
}
