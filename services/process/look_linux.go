package process

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// /proc shows which processes wait for connections on a socket. None of them is asked:
//
//	/proc/PID/fd                    which sockets, epolls and rings a process has open
//	/proc/PID/fdinfo/EPFD           what an epoll watches: tfd … events … ino (Linux 4.13)
//	/proc/PID/task/TID/syscall      the system call a thread is in, and its arguments
//	/proc/PID/mem                   the sets of descriptors that those point to
//
// What a process does in io_uring is not seen.

// The bounds of one look. Threads beyond them are found by later looks: each begins
// with a thread chosen at random.
const (
	mostThreads  = 2048    // of a process
	mostPolled   = 4096    // descriptors of one poll
	mostSelected = 1 << 16 // of one select
	mostEvents   = 4 << 20 // bytes of what an epoll watches
	mostAsked    = 64      // sockets that may have been accepted from a path
)

// waitingCall is a way to wait for connections in a system call.
type waitingCall int

const (
	inAccept waitingCall = iota + 1 // the descriptor is the first argument
	inPoll                          // an array of pollfd, and their number
	inSelect                        // a number of bits, and a set to read from
)

// CannotLook says why nothing can be seen at all, as without /proc; empty if
// something can.
func CannotLook() string {
	if _, err := os.ReadDir("/proc/self/fdinfo"); err != nil {
		return fmt.Sprintf("the kernel does not show its processes to hupwatch: %v", err)
	}
	return ""
}

// Look looks once whether the process, its descendants or the rest of its session
// wait for connections on the listeners. It takes less than a millisecond for most,
// and waits for the kernel only. It looks at no other process.
func (p *Process) Look(listeners []Listener) []Sight {
	l := &look{listeners: listeners, sights: make([]Sight, len(listeners))}
	asUser(p.credential, func() {
		for pid := range p.members {
			l.at(pid)
			if l.done() {
				return
			}
		}
		l.accepted()
	})
	for i := range l.sights {
		if !l.sights[i].Waits {
			l.sights[i].Unseen = l.unseen
		}
	}
	return l.sights
}

// look is one look at the processes of a generation.
type look struct {
	listeners []Listener
	sights    []Sight
	held      map[uint64]bool // the other sockets they have open
	unseen    string
}

func (l *look) done() bool {
	return !slices.ContainsFunc(l.sights, func(s Sight) bool { return !s.Waits })
}

// hide notes why something cannot be seen. It ignores what is gone by now, and what
// hupwatch lacks only at the moment: another look may see that.
func (l *look) hide(err error) {
	if l.unseen != "" || err == nil || isGone(err) || isOfTheMoment(err) {
		return
	}
	l.unseen = "the kernel does not show its processes to hupwatch"
	if errors.Is(err, fs.ErrPermission) {
		l.unseen += ": no permission"
	}
}

// isGone reports whether an error of /proc says that the process or thread does not
// exist any more.
func isGone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) }

// hideUnlessEnded notes why a process, or a thread (below a prefix of the directory),
// cannot be seen. The kernel denies a look at one that has ended and was not waited
// for, but that has nothing to show.
func (l *look) hideUnlessEnded(err error, dir int, prefix string) {
	if errors.Is(err, fs.ErrPermission) && isZombie(dir, prefix) {
		return
	}
	l.hide(err)
}

func isZombie(dir int, prefix string) bool {
	text, err := readUpTo(dir, prefix+"stat", pageSize)
	if err != nil {
		return isGone(err)
	}
	_, rest, _ := bytes.Cut(text[max(bytes.LastIndexByte(text, ')'), 0):], []byte(" "))
	return bytes.HasPrefix(rest, []byte("Z")) || bytes.HasPrefix(rest, []byte("X"))
}

// isOfTheMoment reports whether an error says what hupwatch lacks just now, and not
// what the kernel would never show it.
func isOfTheMoment(err error) bool {
	for _, of := range []syscall.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOBUFS, unix.EAGAIN, unix.EINTR, unix.EIO} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// at looks at one process.
func (l *look) at(pid int) {
	dir, err := openDirectory("/proc/" + strconv.Itoa(pid))
	if err != nil {
		l.hide(err)
		return
	}
	defer unix.Close(dir)
	open, err := descriptorsOf(dir)
	if err != nil {
		l.hideUnlessEnded(err, dir, "")
		return
	}
	mine := make(map[int]int) // which listener a descriptor is
	for _, d := range open.sockets {
		i := slices.IndexFunc(l.listeners, func(listener Listener) bool { return listener.inode == d.inode })
		switch {
		case i >= 0:
			mine[d.fd] = i
		case l.held == nil:
			l.held = map[uint64]bool{d.inode: true}
		default:
			l.held[d.inode] = true
		}
	}
	if len(mine) == 0 {
		return
	}
	if open.ring && l.unseen == "" {
		l.unseen = "it uses io_uring, and the kernel does not show what a process does there"
	}
	for _, fd := range open.epolls {
		l.epoll(dir, fd)
	}
	if slices.ContainsFunc(l.sights, func(s Sight) bool { return !s.Waits && !s.Registered }) {
		l.threads(dir, mine)
	}
}

// epoll looks at what an epoll watches. A listener that is registered edge-triggered
// need not be waited on: the Go runtime and tokio register one when it is made, and
// accept later or never.
func (l *look) epoll(dir, fd int) {
	text, err := readUpTo(dir, "fdinfo/"+strconv.Itoa(fd), mostEvents)
	if err != nil {
		l.hide(err)
		return
	}
	for line := range bytes.Lines(text) {
		e, ok := parseWatched(line)
		if !ok || e.events&unix.EPOLLIN == 0 {
			continue
		}
		for i := range l.listeners {
			if l.listeners[i].inode != e.inode || e.device != 0 && e.device != l.listeners[i].device {
				continue
			}
			if e.events&unix.EPOLLET != 0 {
				l.sights[i].Registered = true
			} else {
				l.sights[i].Waits = true
			}
		}
	}
}

// watched is one line of an epoll's fdinfo.
type watched struct {
	events        uint32
	inode, device uint64
}

// parseWatched reads "tfd: 5 events: 19 data: 5 pos:0 ino:1a2b sdev:9", in hexadecimal
// but for tfd and pos.
func parseWatched(line []byte) (w watched, ok bool) {
	if !bytes.HasPrefix(line, []byte("tfd:")) {
		return w, false
	}
	fields := bytes.Fields(line)
	for i, f := range fields {
		name, value, _ := bytes.Cut(f, []byte(":"))
		if len(value) == 0 && i+1 < len(fields) {
			value = fields[i+1]
		}
		n, err := strconv.ParseUint(string(value), 16, 64)
		switch string(name) {
		case "events":
			w.events = uint32(n)
		case "ino":
			w.inode, ok = n, err == nil
		case "sdev":
			w.device = n
		}
	}
	return w, ok
}

// threads looks at the system calls that the threads of a process are in.
func (l *look) threads(dir int, mine map[int]int) {
	tasks, err := namesAt(dir, "task")
	if err != nil {
		l.hide(err)
		return
	}
	if n := len(tasks); n > mostThreads {
		first := rand.IntN(n)
		tasks = append(tasks[first:], tasks[:first]...)[:mostThreads]
	}
	for _, task := range tasks {
		text, err := readUpTo(dir, "task/"+task+"/syscall", pageSize)
		if err != nil {
			l.hideUnlessEnded(err, dir, "task/"+task+"/")
			continue
		}
		call, args, ok := parseCall(text)
		if !ok {
			continue // it runs: another look may find it
		}
		var fds []int
		switch waitingCalls[call] {
		case inAccept:
			fds = []int{int(int32(args[0]))}
		case inPoll:
			fds, err = polled(dir, args)
		case inSelect:
			fds, err = selected(dir, args)
		}
		l.hide(err)
		if i := l.listenersAt(fds, mine); len(i) > 0 && l.stillIn(dir, task, text) {
			l.seen(i)
		}
		if l.done() {
			return
		}
	}
}

// listenersAt are the listeners among these descriptors.
func (l *look) listenersAt(fds []int, mine map[int]int) []int {
	var found []int
	for _, fd := range fds {
		if i, ok := mine[fd]; ok {
			found = append(found, i)
		}
	}
	return found
}

// stillIn reports whether a thread is still in the same call. If it is not, the memory
// that was read may not be what the call was made with.
func (l *look) stillIn(dir int, task string, call []byte) bool {
	now, err := readUpTo(dir, "task/"+task+"/syscall", pageSize)
	return err == nil && bytes.Equal(now, call)
}

func (l *look) seen(which []int) {
	for _, i := range which {
		l.sights[i].Waits = true
	}
}

// parseCall reads the number of a call and six arguments. It is not ok for "running",
// nor for "-1", a thread that is blocked outside of a system call.
func parseCall(text []byte) (call int64, args [6]uint64, ok bool) {
	fields := bytes.Fields(text)
	if len(fields) < 1+len(args) {
		return 0, args, false
	}
	call, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil || call < 0 {
		return 0, args, false
	}
	for i := range args {
		hex, _ := bytes.CutPrefix(fields[1+i], []byte("0x"))
		if args[i], err = strconv.ParseUint(string(hex), 16, 64); err != nil {
			return 0, args, false
		}
	}
	return call, args, true
}

// polled are the descriptors in an array of pollfd that are polled for reading.
func polled(dir int, args [6]uint64) (fds []int, err error) {
	const size = 8 // an int for the descriptor, two shorts for the events
	set, err := readMemory(dir, args[0], size*int(min(args[1], mostPolled)))
	for ; len(set) >= size; set = set[size:] {
		if events := binary.NativeEndian.Uint16(set[4:]); events&unix.POLLIN != 0 {
			fds = append(fds, int(int32(binary.NativeEndian.Uint32(set))))
		}
	}
	return fds, err
}

// selected are the descriptors in the set that a select reads from.
func selected(dir int, args [6]uint64) (fds []int, err error) {
	if args[1] == 0 { // no such set
		return nil, nil
	}
	bits := int(min(args[0], mostSelected))
	set, err := readMemory(dir, args[1], (bits+7)/8)
	for fd := range min(bits, 8*len(set)) {
		if set[fd/8]>>(fd%8)&1 == 1 {
			fds = append(fds, fd)
		}
	}
	return fds, err
}

func readMemory(dir int, at uint64, size int) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	fd, err := unix.Openat(dir, "mem", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, size)
	n, err := unix.Pread(fd, b, int64(at))
	if errors.Is(err, unix.EIO) { // the thread has gone on, and its stack is another
		err = nil
	}
	return b[:max(n, 0)], err
}

// accepted looks for connections that were accepted from the listeners on which no
// process waits at the moment: each process may be busy with one.
func (l *look) accepted() {
	if len(l.held) == 0 {
		return
	}
	for i := range l.listeners {
		if l.sights[i].Waits {
			continue
		}
		if l.listeners[i].path != "" {
			l.sights[i].Waits = l.acceptedAt(l.listeners[i].path)
			continue
		}
		connections, err := connectionsOf(l.listeners[i].tcp)
		if err != nil {
			continue
		}
		l.sights[i].Waits = slices.ContainsFunc(connections, func(inode uint64) bool { return l.held[inode] })
	}
}

// acceptedAt reports whether one of the sockets was accepted from a path: an accepted
// socket has the name of its listener.
func (l *look) acceptedAt(path string) bool {
	asked := 0
	for inode := range l.held {
		if asked++; asked > mostAsked {
			return false
		}
		if name, err := unixName(inode); err == nil && name == path {
			return true
		}
	}
	return false
}

// members yields the process, its descendants, and what else is in its session: the
// orphans of it that came to hupwatch, and their descendants.
func (p *Process) members(yield func(pid int) bool) {
	session, reaped := p.id.PID, p.isReaped()
	seen := make(map[int]bool)
	if !reaped {
		for pid := range family(session) {
			seen[pid] = true
			if !yield(pid) {
				return
			}
		}
	}
	for _, orphan := range p.table.strangers() {
		if s, ok := readStat(orphan); !ok || s.session != session {
			continue
		}
		for pid := range family(orphan) {
			if !seen[pid] && !yield(pid) {
				return
			}
		}
	}
}

// strangers are hupwatch's children that it did not start.
func (t *Table) strangers() []int {
	children := childrenOf(os.Getpid())
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(children, func(pid int) bool { return t.children[pid] != nil })
}

// Holder returns a member of the generation that has a socket open, 0 for none. If it
// finds none, unseen is why not all members could be seen; empty if they could.
func (p *Process) Holder(inode uint64) (pid int, unseen string) {
	l := &look{}
	asUser(p.credential, func() {
		for member := range p.members {
			if l.holds(member, inode) {
				pid = member
				return
			}
		}
	})
	if pid != 0 {
		return pid, ""
	}
	return 0, l.unseen
}

func (l *look) holds(pid int, inode uint64) bool {
	dir, err := openDirectory("/proc/" + strconv.Itoa(pid))
	if err != nil {
		l.hide(err)
		return false
	}
	defer unix.Close(dir)
	open, err := descriptorsOf(dir)
	if err != nil {
		l.hideUnlessEnded(err, dir, "")
		return false
	}
	if open.ring && l.unseen == "" {
		l.unseen = "it uses io_uring, and the kernel does not show what a process does there"
	}
	return slices.ContainsFunc(open.sockets, func(d descriptor) bool { return d.inode == inode })
}

// descriptors are those of a process that a look is about.
type descriptors struct {
	sockets []descriptor
	epolls  []int
	ring    bool // one of them is an io_uring
}

type descriptor struct {
	fd    int
	inode uint64
}

// descriptorsOf reads the links of /proc/PID/fd; dir is the open /proc/PID.
func descriptorsOf(dir int) (found descriptors, err error) {
	names, err := namesAt(dir, "fd")
	if err != nil {
		return found, err
	}
	fds, err := unix.Openat(dir, "fd", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return found, err
	}
	defer unix.Close(fds)
	var target [64]byte
	for _, name := range names {
		n, err := unix.Readlinkat(fds, name, target[:])
		if isGone(err) {
			continue // closed meanwhile
		}
		if err != nil { // root may read the directory, but not the links in it
			return found, err
		}
		fd, _ := strconv.Atoi(name)
		link := string(target[:n])
		switch inode, isSocket := strings.CutPrefix(link, "socket:["); {
		case isSocket:
			if number, err := strconv.ParseUint(strings.TrimSuffix(inode, "]"), 10, 64); err == nil {
				found.sockets = append(found.sockets, descriptor{fd, number})
			}
		case link == "anon_inode:[eventpoll]":
			found.epolls = append(found.epolls, fd)
		case link == "anon_inode:[io_uring]":
			found.ring = true
		}
	}
	return found, nil
}

func openDirectory(path string) (int, error) {
	return unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// namesAt are the names in a directory below another one.
func namesAt(dir int, name string) ([]string, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return namesIn(fd), nil
}

const pageSize = 4 << 10

// readUpTo reads a file below a directory, as much of it as is wanted.
func readUpTo(dir int, name string, most int) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	text := make([]byte, 0, pageSize)
	for len(text) < most {
		text = slices.Grow(text, pageSize)
		n, err := unix.Read(fd, text[len(text):cap(text)])
		if err != nil || n <= 0 {
			return text, err
		}
		text = text[:len(text)+n]
		if n < pageSize/2 && len(text) < pageSize { // all of it came at once
			return text, nil
		}
	}
	return text, nil
}

// NewListener describes the listening socket of a descriptor.
func NewListener(fd int) (Listener, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Listener{}, fmt.Errorf("look at a socket: %w", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return Listener{}, fmt.Errorf("look at a socket: %w", err)
	}
	l := Listener{inode: st.Ino, device: kernelDevice(st.Dev)}
	switch a := name.(type) {
	case *unix.SockaddrUnix:
		l.path = a.Name
	default:
		l.tcp, _ = addressOf(a)
	}
	return l, nil
}

// kernelDevice is the number that a device has inside the kernel: system calls return
// another one.
func kernelDevice(dev uint64) uint64 {
	const minorBits = 20
	return uint64(unix.Major(dev))<<minorBits | uint64(unix.Minor(dev))
}
