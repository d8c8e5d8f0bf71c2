package process

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// closeOnExecOneByOne goes by the directory that lists the open descriptors.
func closeOnExecOneByOne(list string) error {
	dir, err := os.Open(list)
	if err != nil {
		return fmt.Errorf("list the open descriptors: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list the open descriptors: %w", err)
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}
