package process

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signalsVariable tells hupwatch, executed by itself, that its signals were
// cleaned already, and which ones were ignored before.
const signalsVariable = "HUPWATCH_SIGNALS"

// CleanSignals makes sure that no signal is blocked or ignored for children.
// It is called first thing, and reports whether HUP was ignored at first, as
// under nohup. After an error the program must end.
//
// It catches an ignored signal, so that children have the default. A blocked one
// is blocked in every later thread, so hupwatch executes itself once.
func CleanSignals() (hupIgnored bool, err error) {
	blocked, ignored, err := signalState()
	if err != nil {
		return signal.Ignored(syscall.SIGHUP), nil //nolint:nilerr // no /proc; the stub cleans what it starts
	}
	before, again := os.LookupEnv(signalsVariable)
	if again {
		os.Unsetenv(signalsVariable)
		mask, _ := strconv.ParseUint(before, 16, 64)
		ignored |= mask
	}
	catch(ignored)
	if blocked == 0 || again {
		return ignored&bit(syscall.SIGHUP) != 0, nil
	}
	return false, execUnblocked(ignored)
}

// catch installs handlers that do nothing.
func catch(mask uint64) {
	nobody := make(chan os.Signal, 1)
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		if mask&bit(sig) == 0 {
			continue
		}
		signal.Notify(nobody, sig)
		if sig == 32 || sig == 33 || sig == 34 {
			resetSignal(sig)
		}
	}
}

// resetSignal gives a signal its default meaning back. The Go runtime does not handle
// the signals that C libraries use internally. The posix_spawn of glibc ignores one of
// them in the child, and make starts everything with posix_spawn.
func resetSignal(sig syscall.Signal) {
	const sigsetSize = 8
	var zeros [8]uint64 // SIG_DFL, no flags, an empty mask
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&zeros)), 0, sigsetSize, 0, 0)
}

// execUnblocked returns only if it fails.
func execUnblocked(ignored uint64) error {
	runtime.LockOSThread() // the mask is the thread's
	var none unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil); err != nil {
		return fmt.Errorf("unblock signals: %w", err)
	}
	env := append(os.Environ(), signalsVariable+"="+strconv.FormatUint(ignored, 16))
	if self, err := os.Executable(); err == nil {
		_ = syscall.Exec(self, os.Args, env) // first, since it keeps the name that ps shows
	}
	err := syscall.Exec("/proc/self/exe", os.Args, env)
	return fmt.Errorf("execute hupwatch anew to unblock signals: %w", err)
}

// signalState returns the signals that are blocked and ignored, but for those
// that the Go runtime took care of when it started.
func signalState() (blocked, ignored uint64, err error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "SigBlk":
			blocked, err = strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		case "SigIgn":
			ignored, err = strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return blocked, ignored, nil
}

func bit(sig syscall.Signal) uint64 { return 1 << (sig - 1) }
