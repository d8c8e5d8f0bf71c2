package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"

	"hupwatch/examples/load"
)

// generation is one that hupwatch has started.
type generation struct{ number, pid int }

func generationOf(e event) (g generation, err error) {
	if g.number, err = strconv.Atoi(e["generation"]); err != nil {
		return g, err
	}
	g.pid, err = strconv.Atoi(e["pid"])
	return g, err
}

// String is for messages.
func (g generation) String() string { return fmt.Sprintf("generation %d, pid %d", g.number, g.pid) }

// answered reports whether an answer came from this generation. A proxy says who
// it is before what the one behind it says.
func (g generation) answered(a load.Answer) bool {
	if n := answeredBy(a); n > 0 {
		return n == g.number
	}
	m := saysPID.FindStringSubmatch(a.Body)
	if m == nil {
		return false
	}
	pid, _ := strconv.Atoi(m[1])
	return pid == g.pid || parent(pid) == g.pid
}

var (
	saysGeneration = regexp.MustCompile(`^[^;]*generation (\d+)`)
	saysPID        = regexp.MustCompile(`^[^;]*pid (\d+)`)
)

// answeredBy is the number of the generation that answered, or 0 if it did not
// say.
func answeredBy(a load.Answer) int {
	m := saysGeneration.FindStringSubmatch(a.Body)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// parent is the parent of a process, or 0 if it is gone.
func parent(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // state, parent, ...
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(string(fields[1]))
	return n
}
