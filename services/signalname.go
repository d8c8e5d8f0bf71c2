package services

import (
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const killSignal = syscall.SIGKILL

// SignalName returns the name of a signal without its SIG, or its number.
func SignalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return strconv.Itoa(int(sig))
}
