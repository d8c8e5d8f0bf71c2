package process

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// asUser calls do with the file system credentials of a user, by which the kernel
// decides who may look into /proc/PID (ptrace(2), "Ptrace access mode checking"):
// root without CAP_SYS_PTRACE, as in a container, may not look at another user's
// processes, but that user may. The other credentials of the thread stay root's, so
// that the user cannot signal or trace it meanwhile. All work of do must happen in the
// goroutine that calls it.
func asUser(c *Credential, do func()) {
	if c == nil || os.Geteuid() != 0 || canTrace() {
		do()
		return
	}
	done := make(chan any, 1)
	go func() { // ends with do
		defer func() { done <- recover() }()
		runtime.LockOSThread()
		dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		uid, gid := setFSUser(int(c.UID), int(c.GID))
		defer func() {
			setFSUser(uid, gid)
			if dumpable == 1 { // a change of credentials takes core dumps away
				_ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
			}
			if fsUser() == uid {
				runtime.UnlockOSThread()
			} // else the thread ends with its goroutine
		}()
		do()
	}()
	if reason := <-done; reason != nil {
		panic(reason)
	}
}

// setFSUser changes the file system user and group of this thread alone, and returns
// the old ones.
func setFSUser(uid, gid int) (oldUID, oldGID int) {
	oldGID, _ = unix.SetfsgidRetGid(gid)
	oldUID, _ = unix.SetfsuidRetUid(uid)
	return oldUID, oldGID
}

// fsUser returns the file system user of this thread: the call answers with that,
// whether it can change it or not.
func fsUser() int {
	const none = -1
	uid, _ := unix.SetfsuidRetUid(none)
	return uid
}

// canTrace reports whether hupwatch may look at everybody's processes.
func canTrace() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_PTRACE) != 0
}
