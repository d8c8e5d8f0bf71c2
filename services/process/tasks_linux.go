package process

import (
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// TasksLeft returns how many more processes and threads the pids cgroups of hupwatch
// allow (cgroups(7)), and the file that says so; empty if none does. It does not look
// at a limit of the user's processes (RLIMIT_NPROC).
func TasksLeft() (left int, limit string) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return math.MaxInt, ""
	}
	left = math.MaxInt
	for line := range strings.Lines(string(text)) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(line, ":")
		mount := "/sys/fs/cgroup"
		if controllers == "pids" { // version 1
			mount += "/pids"
		} else if controllers != "" {
			continue
		}
		// A limit of a group holds for all groups in it. In a container the mount may
		// begin below what the kernel says: then only its top is found.
		for at := path.Join("/", group); ; at = path.Dir(at) {
			dir := path.Join(mount, at)
			most, err := number(dir + "/pids.max")
			current, err2 := number(dir + "/pids.current")
			if err == nil && err2 == nil && most-current < left {
				left, limit = most-current, dir+"/pids.max"
			}
			if at == "/" {
				break
			}
		}
	}
	return left, limit
}

// number reads a file with one number in it; "max" is none.
func number(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
