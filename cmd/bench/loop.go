//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// loop is the reference: it does the same with nothing but the system calls.
type loop struct {
	*stamps
	site *site
	null *os.File
	pids []int
}

func (s *site) newLoop() (*loop, error) {
	st, err := newStamps()
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &loop{stamps: st, site: s, null: null}, nil
}

func (l *loop) fork(i int) (pid int, err error) {
	pid, err = syscall.ForkExec(l.site.service, []string{l.site.service, serviceName(i)}, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []uintptr{l.null.Fd(), uintptr(l.to), uintptr(l.to)},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", l.site.service, err)
	}
	return pid, nil
}

// start starts n processes and returns how long it took until all of them ran.
func (l *loop) start(ctx context.Context, n int) (took time.Duration, err error) {
	began := now()
	for i := range n {
		pid, err := l.fork(i)
		if err != nil {
			return 0, err
		}
		l.pids = append(l.pids, pid)
	}
	last, err := l.awaitRunning(ctx, n)
	return last - began, err
}

func (l *loop) awaitRunning(ctx context.Context, n int) (last time.Duration, err error) {
	err = l.await(ctx, fmt.Sprintf("%d processes to run", n), func(st stamp) bool {
		if st.kind == running {
			n--
		}
		last = max(last, st.at)
		return n == 0
	})
	return last, err
}

// replace starts another process for each, tells the old one to end, and
// returns how long it took until all had been replaced and waited for.
func (l *loop) replace(ctx context.Context) (took time.Duration, err error) {
	began := now()
	old := l.pids
	l.pids = make([]int, 0, len(old))
	for i, pid := range old {
		replacement, err := l.fork(i)
		if err != nil {
			return 0, err
		}
		l.pids = append(l.pids, replacement)
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	for _, pid := range old {
		waitFor(pid)
	}
	waited := now()
	last, err := l.awaitRunning(ctx, len(old))
	return max(last, waited) - began, err
}

// stop tells all of them to end and returns how long that took.
func (l *loop) stop() time.Duration {
	began := now()
	for _, pid := range l.pids {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	for _, pid := range l.pids {
		waitFor(pid)
	}
	took := now() - began
	l.pids = nil
	return took
}

func (l *loop) end() {
	l.stop()
	l.close()
	l.null.Close()
}

func waitFor(pid int) {
	for {
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
			return
		}
	}
}
