package config

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lastSignal is the highest number a signal can have on Linux, real-time ones
// included.
const lastSignal = 64

// parseSignal decodes a signal by name (TERM, SIGTERM, term) or number.
func parseSignal(v any) (syscall.Signal, error) {
	switch v := v.(type) {
	case int64:
		return signalNumber(v)
	case string:
		return Signal(v)
	}
	return 0, fmt.Errorf(`expected a signal, like "TERM", not %s`, typeName(v))
}

// Signal returns the signal of that name (TERM, SIGTERM, term) or number.
func Signal(text string) (syscall.Signal, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return signalNumber(n)
	}
	return signalName(text)
}

// SignalName returns the name of a signal without its SIG, or its number.
func SignalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return strconv.Itoa(int(sig))
}

func signalNumber(n int64) (syscall.Signal, error) {
	if n < 1 || n > lastSignal {
		return 0, fmt.Errorf(`no signal has the number %d: expected 1 to %d, or a name like "TERM"`, n, lastSignal)
	}
	return syscall.Signal(n), nil
}

func signalName(s string) (syscall.Signal, error) {
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}

	var names []string
	for n := range syscall.Signal(lastSignal) {
		if known := unix.SignalName(n); known != "" {
			names = append(names, strings.TrimPrefix(known, "SIG"))
		}
	}
	if near := nearest(name, names); near != "" {
		return 0, fmt.Errorf("unknown signal %q, did you mean %s?", s, near)
	}
	return 0, fmt.Errorf("unknown signal %q: expected a name like TERM, or its number", s)
}

// stopSignal decodes a signal that asks a program to end.
func stopSignal(v any) (syscall.Signal, error) {
	sig, err := parseSignal(v)
	if err != nil {
		return 0, err
	}

	switch sig {
	case syscall.SIGKILL:
		return 0, fmt.Errorf("KILL leaves a service no time to finish its work: to end it at once, write stop_timeout = 0")
	case syscall.SIGSTOP:
		return 0, fmt.Errorf("STOP freezes a service instead of ending it: most programs end at TERM, INT or QUIT")
	default:
		return sig, nil
	}
}

func decodeStopSignal(t *table, k *Key, v any) {
	sig, err := stopSignal(v)
	if err != nil {
		t.problem(k.Name, err)
		return
	}
	t.service.StopSignal = sig
}
