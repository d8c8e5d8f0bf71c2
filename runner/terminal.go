package runner

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal is the terminal that hupwatch was started from; nil if there is none, or if
// it does not matter.
//
// When a terminal is closed, the kernel sends a HUP to what runs in its foreground:
// the same signal that asks for a reload. The difference is that a closed terminal
// cannot be opened any more.
type terminal struct {
	foreground bool
	conts      chan os.Signal
}

// openTerminal finds the terminal. If HUP was ignored at the start, as under
// nohup, somebody meant hupwatch to outlive it.
func openTerminal(hupIgnored bool) *terminal {
	fd, err := openTTY()
	if err == nil {
		unix.Close(fd)
	}
	if err != nil || hupIgnored {
		return nil
	}
	t := &terminal{conts: make(chan os.Signal, 1)}
	signal.Notify(t.conts, syscall.SIGCONT)
	t.look()
	return t
}

func openTTY() (fd int, err error) {
	return unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

// look finds out whether hupwatch is in the foreground. That changes only while it is
// stopped (Ctrl-Z, then bg or fg), so it looks again whenever it is continued. A
// terminal that is gone says nothing: what was seen last stays.
func (t *terminal) look() {
	fd, err := openTTY()
	if err != nil {
		return
	}
	defer unix.Close(fd)
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	t.foreground = err == nil && group == unix.Getpgrp()
}

// continued has a value when hupwatch was continued.
func (t *terminal) continued() <-chan os.Signal {
	if t == nil {
		return nil
	}
	return t.conts
}

// hungUp is called after a HUP. It reports whether that was the end of the terminal in
// whose foreground hupwatch ran.
func (t *terminal) hungUp() bool {
	if t == nil || !t.foreground {
		return false
	}
	fd, err := openTTY()
	if err == nil {
		unix.Close(fd)
	}
	// Any other error, such as EMFILE, says nothing about the terminal.
	return errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EIO)
}

func (t *terminal) close() {
	if t != nil {
		signal.Stop(t.conts)
	}
}
