package notify

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hupwatch/services/visible"
)

// maxStatus is how long a Status may be, in bytes.
const maxStatus = 256

// Message is what a generation has said of itself, in one datagram or in several.
// It is always of bounded size.
type Message struct {
	// Ready is set if it said that it is ready.
	Ready bool
	// Stopping is set if it said that it is about to end.
	Stopping bool
	// Status is one printable line for people, empty for none. It is the latest one
	// ever, and stays the same if nothing new was said.
	Status string
	// Extend is how much more time it asks for, from now on; 0 for none. There is no
	// limit to it.
	Extend time.Duration
	// MainPID is the process that it calls its main one now; 0 for none. It may be
	// any process: see process.Process.Member.
	MainPID int
}

// add takes in what one datagram says. Of several values of a key the last one counts,
// but READY=1 and STOPPING=1 stay. What is unknown or malformed is ignored.
func (m *Message) add(datagram []byte) {
	for line := range bytes.SplitSeq(bytes.TrimRight(datagram, "\x00"), []byte("\n")) {
		key, value, _ := bytes.Cut(line, []byte("="))
		m.set(string(key), value)
	}
}

func (m *Message) set(key string, value []byte) {
	said := string(value) == "1"
	switch key {
	case "READY":
		m.Ready = m.Ready || said
	case "STOPPING":
		m.Stopping = m.Stopping || said
	case "STATUS":
		m.Status = printable(value)
	case "EXTEND_TIMEOUT_USEC":
		if n, ok := number(value, math.MaxUint64); ok {
			m.Extend = time.Duration(min(n, math.MaxInt64/uint64(time.Microsecond))) * time.Microsecond
		}
	case "MAINPID":
		if n, ok := number(value, math.MaxInt32); ok && n > 1 { // 1 is nobody's service
			m.MainPID = int(n)
		}
	}
}

// number reads a decimal number up to most.
func number(text []byte, most uint64) (n uint64, ok bool) {
	n, err := strconv.ParseUint(string(text), 10, 64)
	return n, err == nil && n <= most
}

// printable makes one line of text that does nothing to a terminal.
func printable(text []byte) string {
	return shorten(visible.String(strings.Join(strings.Fields(string(text)), " ")), maxStatus)
}

// shorten cuts text between two characters if it is longer than most bytes.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return strings.TrimRight(text[:most], " ")
}
