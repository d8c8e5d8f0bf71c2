package process

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
)

// FindMarked returns the processes that run with this mark, sorted by their numbers:
// those that lead a session, and the others of a session whose leader is gone.
func FindMarked(mark string) ([]Living, error) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return nil, err
	}
	boot := BootID()
	var found []Living
	for _, pid := range pids() {
		s, value, ok := readMark(pid)
		if !ok {
			continue
		}
		l := Living{Identity: Identity{PID: pid, Start: s.start, Latest: s.start, Boot: boot}, Leader: s.session == pid}
		if l.Service, l.Generation, ok = parseMark(value, mark); !ok {
			continue
		}
		if leader, ok := readStat(s.session); l.Leader || !ok || !leader.alive() {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b Living) int { return cmp.Compare(a.PID, b.PID) })
	return found, nil
}

// readMark returns the mark of a process that runs, and what that process is.
// Both are read below one open directory, which stays that of this process
// even if its number goes to another one in between.
func readMark(pid int) (s stat, mark string, ok bool) {
	dir, err := os.OpenRoot("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return s, "", false
	}
	defer dir.Close()

	environ, err := dir.ReadFile("environ")
	if err != nil {
		return s, "", false // gone, or another user's: not ours
	}
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if value, has := bytes.CutPrefix(v, []byte(MarkVariable+"=")); has {
			mark = string(value)
		}
	}
	if mark == "" {
		return s, "", false
	}
	b, err := dir.ReadFile("stat")
	if err != nil {
		return s, "", false
	}
	s, ok = parseStat(b)
	return s, mark, ok && s.alive()
}

func parseMark(value, mark string) (service string, generation int, ok bool) {
	rest, ok := strings.CutPrefix(value, mark+"/")
	if !ok {
		return "", 0, false
	}
	service, number, ok := strings.Cut(rest, "/")
	if !ok || service == "" {
		return "", 0, false
	}
	generation, err := strconv.Atoi(number)
	return service, generation, err == nil
}
