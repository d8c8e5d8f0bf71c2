package runner

import (
	"fmt"
	"runtime"
	"sync"

	"hupwatch/services/process"
)

// threads is how many hupwatch has from its start on. The Go runtime makes one more
// whenever all others are in system calls, keeps it for ever, and ends the program if
// the kernel refuses it. A service that forks without end may use up a pids cgroup
// (TasksMax, --pids-limit) or RLIMIT_NPROC: without these threads, that could end
// hupwatch, and with it the watch over all others. Each costs 20 KB.
const threads = 32

// reserveThreads has the runtime make the threads now, and keep them. If the cgroup has
// room for less than twice as many, it takes half of that at most, and says so.
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
