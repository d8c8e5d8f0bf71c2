//go:build linux && amd64

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stamp is what a service reports.
type stamp struct {
	kind    uint64
	pid     int
	at      time.Duration // on the monotonic clock
	service string
}

// The kinds of stamps.
const (
	running uint64 = 1 // its first instructions ran
	told    uint64 = 2 // it got TERM
)

const stampSize = 40

// look is how often the pipe is read. The stamps carry their own time, so this does
// not change what is measured. A reader woken for each of them would disturb it.
const look = 2 * time.Millisecond

// patience is how long anything may take before the benchmark gives up.
const patience = 2 * time.Minute

// stamps is the pipe that is the standard output of every service.
type stamps struct {
	from, to int
	rest     []byte
}

func newStamps() (*stamps, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("open pipe: %w", err)
	}
	// Only the end that we read must not block.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, fmt.Errorf("set pipe: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, 1<<20); err != nil {
		return nil, fmt.Errorf("enlarge pipe: %w", err)
	}
	return &stamps{from: fds[0], to: fds[1]}, nil
}

func (s *stamps) close() {
	unix.Close(s.from)
	unix.Close(s.to)
}

// read returns what was reported since the last time.
func (s *stamps) read() []stamp {
	buffer := make([]byte, 64<<10)
	for {
		n, err := unix.Read(s.from, buffer)
		if n <= 0 || err != nil {
			break
		}
		s.rest = append(s.rest, buffer[:n]...)
	}
	var all []stamp
	for ; len(s.rest) >= stampSize; s.rest = s.rest[stampSize:] {
		word := func(i int) uint64 { return binary.LittleEndian.Uint64(s.rest[8*i:]) }
		name, _, _ := strings.Cut(string(s.rest[32:stampSize]), "\x00")
		all = append(all, stamp{
			kind: word(0), pid: int(word(1)), service: name,
			at: time.Duration(word(2))*time.Second + time.Duration(word(3)),
		})
	}
	return all
}

// await hands every stamp to seen until that returns true.
func (s *stamps) await(ctx context.Context, what string, seen func(stamp) (done bool)) error {
	return await(ctx, what, func() bool {
		done := false
		for _, st := range s.read() {
			done = seen(st) || done
		}
		return done
	})
}

// await looks again and again until done.
func await(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// pause lets time pass.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// now reads the clock of the stamps.
func now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // every host has it
	}
	return time.Duration(ts.Nano())
}
