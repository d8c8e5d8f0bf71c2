package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"hupwatch/services/process/stub"
)

// Start starts a process in a session of its own and returns as soon as it is
// forked, even if its exec hangs. An error means that it could not be forked:
// then w is not called. If the exec failed, the Err of Exited says why.
func (t *Table) Start(spec Spec, w Watch) error {
	if err := spec.distinct(); err != nil {
		return err
	}
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer syscall.Close(null)

	files := spec.files(null)
	if !spec.needsStub() && t.mounts.local(spec) {
		p := &Process{table: t, watch: w, credential: spec.Credential, exec: executed}
		err = p.fork(spec.Path, spec.Args, &syscall.ProcAttr{Dir: spec.Dir, Env: spec.Env, Files: files})
		if err == nil {
			p.begin()
			return nil
		}
		// Whatever it was, the stub reports at which step it failed.
	}
	return t.startStub(spec, files, w)
}

// needsStub reports whether there is something to do that only the process
// itself can do.
func (s *Spec) needsStub() bool {
	return len(s.Sockets) > 0 || len(s.Limits) > 0 || s.Umask >= 0 || s.OOMScoreAdj != nil || s.Credential != nil
}

// files are the descriptors of the process, from 0. They are plain numbers,
// since os.File would make the sockets blocking for the generation that has
// them already.
func (s *Spec) files(null int) []uintptr {
	or := func(fd int) uintptr {
		if fd < 0 {
			fd = null
		}
		return uintptr(fd)
	}
	files := []uintptr{uintptr(null), or(s.Stdout), or(s.Stderr)}
	for _, fd := range s.Sockets {
		files = append(files, uintptr(fd))
	}
	const closed = ^uintptr(0)
	for _, d := range s.Extra {
		for len(files) <= d.At {
			files = append(files, closed)
		}
		files[d.At] = uintptr(d.FD)
	}
	return files
}

// maxDescriptor is the last but one that a process may have by default, since the
// stub needs one more.
const maxDescriptor = 1022

// distinct checks that each number is given to one descriptor.
func (s *Spec) distinct() error {
	first := 3 + len(s.Sockets)
	for i, d := range s.Extra {
		taken := slices.ContainsFunc(s.Extra[:i], func(e Descriptor) bool { return e.At == d.At })
		if d.At < first || d.At > maxDescriptor || taken {
			return fmt.Errorf("start %s with descriptor %d: choose a free one from %d to %d", s.Path, d.At, first, maxDescriptor)
		}
	}
	return nil
}

// fork forks, executes and enters the process in the table, so that neither
// the reaper nor a signal can come between.
func (p *Process) fork(path string, args []string, attr *syscall.ProcAttr) error {
	attr.Sys = &syscall.SysProcAttr{Setsid: true}

	p.table.forks.Lock()
	defer p.table.forks.Unlock()
	before := ticks()
	pid, err := syscall.ForkExec(path, args, attr)
	if err != nil {
		return err
	}
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	p.id = Identity{PID: pid, Start: before, Latest: ticks(), Boot: p.table.boot}
	p.table.children[pid] = p
	return nil
}

func (t *Table) startStub(spec Spec, files []uintptr, w Watch) error {
	ours, theirs, err := socketpair()
	if err != nil {
		return fmt.Errorf("open a socket pair: %w", err)
	}
	p := &Process{table: t, watch: w, credential: spec.Credential}
	env := []string{
		stub.Variable + "=" + strconv.Itoa(len(files)),
		"GOMAXPROCS=1", "GOGC=off", // it is gone in a millisecond
	}
	for _, v := range spec.Env {
		if strings.HasPrefix(v, MarkVariable+"=") {
			env = append(env, v) // found by its mark even while it hangs
		}
	}
	attr := &syscall.ProcAttr{Env: env, Files: append(files, uintptr(theirs))}
	args := []string{"hupwatch-stub", spec.Path}
	err = p.fork("/proc/self/exe", args, attr)
	if errors.Is(err, syscall.ENOENT) {
		var self string // no /proc
		if self, err = os.Executable(); err == nil {
			err = p.fork(self, args, attr)
		}
	}
	syscall.Close(theirs)
	if err != nil {
		ours.Close()
		return fmt.Errorf("fork for %s: %w", spec.Path, err)
	}
	p.begin()
	// It ends when the stub has become the command or has ended; a kill of the
	// group sees to that if need be.
	go p.await(ours, spec)
	return nil
}

// await hands the request to the stub, and reads what it reports until it has
// become the command or has ended.
func (p *Process) await(conn *os.File, spec Spec) {
	defer p.table.Mistakes.Contain("start " + spec.Path)
	// A write fails if the stub has ended already, which the report says too.
	_, _ = conn.Write(spec.request().Marshal())
	reports, _ := io.ReadAll(conn)
	conn.Close()

	p.table.mu.Lock()
	if p.exec == pending {
		p.exec, p.execErr = outcome(stub.ParseReports(reports), spec)
	}
	p.table.mu.Unlock()
	p.tell()
}

func (s *Spec) request() *stub.Request {
	r := &stub.Request{
		Path: s.Path, Args: s.Args, Env: s.Env, Dir: s.Dir,
		ListenPID: len(s.Sockets) > 0,
		Umask:     s.Umask,
	}
	for _, l := range s.Limits {
		r.Limits = append(r.Limits, stub.Limit{Resource: l.Resource, Soft: l.Soft, Hard: l.Hard})
	}
	if s.OOMScoreAdj != nil {
		r.AdjustOOM, r.OOMScoreAdj = true, *s.OOMScoreAdj
	}
	if c := s.Credential; c != nil {
		r.SwitchUser, r.UID, r.GID, r.Groups = true, c.UID, c.GID, c.Groups
	}
	return r
}

func outcome(r stub.Report, spec Spec) (execution, error) {
	switch r.Stage {
	case 0:
		return failed, ErrNotExecuted
	case stub.Executing:
		return executed, nil
	default:
		return failed, newExecError(r, spec)
	}
}

// socketpair returns two connected sockets, the first one ours.
func socketpair() (ours *os.File, theirs int, err error) {
	// Not every system has SOCK_CLOEXEC; the lock keeps forks away instead.
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, -1, err
	}
	// Non-blocking, so that a goroutine waits for it and not a thread.
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return nil, -1, err
	}
	return os.NewFile(uintptr(fds[0]), "stub"), fds[1], nil
}
