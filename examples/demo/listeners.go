package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// inherited returns the sockets that LISTEN_FDS hands to the process with that
// pid, as sd_listen_fds(3) has it. There are none if LISTEN_PID names another process:
// that one left the variables in the environment of its child.
func inherited(getenv func(string) string, pid, firstFD int) ([]net.Listener, error) {
	if getenv("LISTEN_PID") != strconv.Itoa(pid) {
		return nil, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return nil, fmt.Errorf("LISTEN_FDS: %q is not a number of sockets", getenv("LISTEN_FDS"))
	}

	var listeners []net.Listener
	for fd := firstFD; fd < firstFD+n; fd++ {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), fmt.Sprint("fd ", fd))
		l, err := net.FileListener(f)
		f.Close() // FileListener has its own copy
		if err != nil {
			return nil, fmt.Errorf("listen on inherited fd %d: %w", fd, err)
		}
		listeners = append(listeners, keepPath(l))
	}
	return listeners, nil
}

// bind listens on HOST:PORT or, if there is a slash in it, on a unix socket.
func bind(address string) (net.Listener, error) {
	network := "tcp"
	if strings.Contains(address, "/") {
		network = "unix"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return keepPath(l), nil
}

// keepPath keeps a unix listener from removing its path when it is closed: by
// then the path may be the next generation's.
func keepPath(l net.Listener) net.Listener {
	if unix, ok := l.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	return l
}
