package runner

import (
	"fmt"
	"runtime"
	"sync"

	"hupwatch/services/process"
)

// threads are how many hupwatch has from its start on. The Go runtime makes one more
// whenever the others are all in system calls, keeps it for ever, and ends the program
// if the kernel refuses it one: what is left of a pids cgroup (TasksMax, --pids-limit)
// or of RLIMIT_NPROC may be taken by a service that forks without end, and that would
// be the end of the watch over all others. Each costs 20 KB.
const threads = 32

// reserveThreads has the runtime make the threads now, and keep them. If the cgroup has
// no room for them it takes half of what there is, and says so.
func reserveThreads() (why []string) {
	n := threads
	if left, limit := process.TasksLeft(); left < 2*threads {
		n = min(n, left/2)
		why = append(why, fmt.Sprintf("%s leaves room for %d processes and threads; hupwatch alone may need %d, and has %d now: raise it (TasksMax of systemd, --pids-limit of docker), or hupwatch can end when services use it up",
			limit, left, threads, n))
	}
	var all, here sync.WaitGroup
	together := make(chan struct{})
	here.Add(max(n, 0))
	for range n {
		all.Go(func() {
			runtime.LockOSThread() // so that each has one of its own
			defer runtime.UnlockOSThread()
			here.Done()
			<-together
		})
	}
	here.Wait()
	close(together)
	all.Wait()
	return why
}
