package process

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestOldKernelsKeepDescriptorsFromChildrenToo(t *testing.T) {
	fd, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := closeOnExecOneByOne("/proc/self/fd"); err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor %d has flags %#x, %v; want FD_CLOEXEC", fd, flags, err)
	}
	if flags, err := unix.FcntlInt(1, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Errorf("standard output has flags %#x, %v; want none", flags, err)
	}
}
