package process

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Alive reports whether this very process still runs. A zombie does not.
func (id Identity) Alive() bool {
	s, ok := readStat(id.PID)
	return ok && s.alive() && id.Start <= s.start && s.start <= id.Latest && BootID() == id.Boot
}

// clockTick is that of /proc/PID/stat: USER_HZ, 100 on all that Go runs on.
const clockTick = time.Second / 100

// ticks are how many there have been since the boot. To look at the clock before
// and after a fork costs next to nothing; to read when the process started would
// make entries in /proc that the kernel has to clear away at its end.
func ticks() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err) // there is no Linux without it
	}
	return uint64(ts.Nano() / int64(clockTick))
}

// BootID is what tells this boot of the host from every other one.
func BootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// livingGroups returns the process groups that have a member which runs, or nil
// if that cannot be known.
func livingGroups() map[int]bool {
	var groups map[int]bool
	for _, pid := range pids() {
		if s, ok := readStat(pid); ok && s.alive() {
			if groups == nil {
				groups = make(map[int]bool)
			}
			groups[s.group] = true
		}
	}
	return groups
}

// pids returns the numbers of all processes.
func pids() []int {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var numbers []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			numbers = append(numbers, pid)
		}
	}
	return numbers
}

// stat is what /proc/PID/stat says of a process.
type stat struct {
	state   byte
	group   int
	session int
	start   uint64
	pages   int64 // resident
}

func (s stat) alive() bool { return s.state != 'Z' && s.state != 'X' }

func readStat(pid int) (stat, bool) {
	const longest = 1024 // of 52 numbers and a short name
	b, ok := readSome("/proc/"+strconv.Itoa(pid)+"/stat", longest)
	if !ok {
		return stat{}, false
	}
	return parseStat(b)
}

// readSome reads the beginning of a file with three system calls: an os.File is
// several more, and this happens at every start. It does not wait for the other
// end of a FIFO.
func readSome(path string, most int) ([]byte, bool) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	b := make([]byte, most)
	n, err := unix.Read(fd, b)
	return b[:max(n, 0)], err == nil
}

// readAll reads a file of /proc, like readSome.
func readAll(path string) ([]byte, bool) {
	const most = 4096
	b, ok := readSome(path, most)
	if !ok || len(b) <= most/2 { // the kernel gives whole entries: more than that may not be all
		return b, ok
	}
	b, err := os.ReadFile(path)
	return b, err == nil
}

// names are those in a directory of /proc, in no order, read with few system calls.
func names(dir string) []string {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	return namesIn(fd)
}

// namesIn are those in an open directory.
func namesIn(fd int) []string {
	var found []string
	buf := make([]byte, 2048)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil || n <= 0 {
			return found
		}
		_, _, found = unix.ParseDirent(buf[:n], -1, found)
	}
}

// parseStat reads what comes after the name of the program, which may hold
// anything, parentheses and newlines too.
func parseStat(b []byte) (stat, bool) {
	const state, group, session, start, resident = 0, 2, 3, 19, 21 // from the third field on
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) <= resident {
		return stat{}, false
	}
	var s stat
	var errs [4]error
	s.state = fields[state][0]
	s.group, errs[0] = strconv.Atoi(string(fields[group]))
	s.session, errs[1] = strconv.Atoi(string(fields[session]))
	s.start, errs[2] = strconv.ParseUint(string(fields[start]), 10, 64)
	s.pages, errs[3] = strconv.ParseInt(string(fields[resident]), 10, 64)
	return s, errs == [4]error{}
}
