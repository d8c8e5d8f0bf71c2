//go:build linux && amd64

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is the processor time of a process and the context switches of all its
// threads: how often one of them gave up the processor, or lost it.
func usage(pid int) (cpu time.Duration, switches int, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		return 0, 0, fmt.Errorf("hupwatch %d has ended", pid)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task + "/schedstat")
		if err != nil {
			return 0, 0, err
		}
		ns, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read %s/schedstat: %w", task, err)
		}
		cpu += time.Duration(n)
		for _, key := range []string{"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"} {
			n, err := field(task+"/status", key)
			if err != nil {
				return 0, 0, err
			}
			switches += n
		}
	}
	return cpu, switches, nil
}

// footprint is what a process holds.
type footprint struct {
	pss         float64 // MB
	threads     int
	descriptors int
}

func footprintOf(pid int) (f footprint, err error) {
	kb, err := field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss")
	if err != nil {
		return f, err
	}
	f.pss = float64(kb) / 1024
	if f.threads, err = field(fmt.Sprintf("/proc/%d/status", pid), "Threads"); err != nil {
		return f, err
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	f.descriptors = len(fds)
	return f, err
}

// field reads the number behind "key:" in a file of /proc.
func field(path, key string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if words := strings.Fields(value); name == key && len(words) > 0 {
			return strconv.Atoi(words[0])
		}
	}
	return 0, fmt.Errorf("read %s: no %s", path, key)
}
