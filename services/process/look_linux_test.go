package process_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

// listening returns the descriptor of a listening socket, as a blocking server would
// inherit it, and its address.
func listening(t testing.TB, network string) (fd int, address string) {
	t.Helper()
	var err error
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
		if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: address})
		}
	} else {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
		}
	}
	if err == nil {
		err = unix.Listen(fd, 16)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if network == "tcp" {
		name, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*unix.SockaddrInet4).Port))
	}
	return fd, address
}

// acceptor starts a helper that has a listening socket as descriptor 3 and does with
// it what the way says.
func acceptor(t testing.TB, table *process.Table, way string, fd int, change func(*process.Spec)) (*watch, *line) {
	t.Helper()
	ours, theirs := newLine(t)
	spec := helper("acceptor", way)
	spec.Stdout, spec.Sockets = theirs, []int{fd}
	if change != nil {
		change(&spec)
	}
	w := start(t, table, spec)
	unix.Close(theirs)
	w.await(t, "execed")
	if said := ours.hear(t); said != "ready" {
		t.Skip(said)
	}
	return w, ours
}

// end has a helper end.
func (l *line) end(t testing.TB, w *watch) {
	t.Helper()
	l.Close()
	w.await(t, "exited", "emptied")
}

// helpAcceptor says that it is about to wait, and does so.
func helpAcceptor() int {
	const fd = 3
	way, workers, _ := strings.Cut(os.Args[1], "*")
	if n, _ := strconv.Atoi(workers); n > 0 { // which it waits for, and nothing else
		var children []int
		for range n {
			pid, err := syscall.ForkExec(self(), []string{"helper", way}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2, fd}})
			if err != nil {
				panic(err)
			}
			children = append(children, pid)
		}
		io.ReadAll(os.Stdout)
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			awaitEnd(pid)
		}
		return 0
	}
	if way == "busy" {
		if _, _, err := unix.Accept(fd); err != nil {
			panic(err)
		}
	}
	if way == "zombie" { // a child that ended, and is not waited for
		child, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
		if err == nil {
			err = unix.Waitid(unix.P_PID, child.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		}
		if err != nil {
			panic(err)
		}
	}
	if way == "ring" {
		if _, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 8, uintptr(unsafe.Pointer(new([120]byte))), 0); errno != 0 {
			fmt.Println("no io_uring:", errno)
			return 0
		}
	}
	fmt.Println("ready")
	wait := ways[way]
	if number, ok := strings.CutPrefix(way, "thread "); ok { // the last of many, the others read
		n, _ := strconv.Atoi(number)
		for range n {
			go func() {
				runtime.LockOSThread()
				var pipe [2]int
				_ = unix.Pipe(pipe[:])
				_, _ = unix.Read(pipe[0], make([]byte, 1))
			}()
		}
		wait = ways["accept"]
	}
	if wait != nil {
		go func() {
			if err := wait(fd); err != nil {
				panic(fmt.Sprint(way, ": ", err))
			}
		}()
	}
	io.ReadAll(os.Stdout)
	return 0
}

// ways are the ways to wait for connections.
var ways = map[string]func(fd int) error{
	"accept": func(fd int) error {
		_, _, err := unix.Accept(fd)
		return err
	},
	"poll": func(fd int) error {
		_, err := unix.Poll([]unix.PollFd{{Fd: 0, Events: unix.POLLERR}, {Fd: int32(fd), Events: unix.POLLIN}}, -1)
		return err
	},
	"ppoll": func(fd int) error {
		_, err := unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, nil, nil)
		return err
	},
	"select": func(fd int) error {
		set := &unix.FdSet{}
		set.Set(fd)
		_, err := unix.Select(fd+1, set, nil, nil, nil)
		return err
	},
	"pselect": func(fd int) error {
		set := &unix.FdSet{}
		set.Set(fd)
		_, err := unix.Pselect(fd+1, set, nil, nil, nil, nil)
		return err
	},
	"epoll":           func(fd int) error { return waitEpoll(fd, unix.EPOLLIN) },
	"epoll exclusive": func(fd int) error { return waitEpoll(fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE) },
	"epoll edge":      func(fd int) error { return waitEpoll(fd, unix.EPOLLIN|unix.EPOLLET) },
	"epoll hangup":    func(fd int) error { return waitEpoll(fd, unix.EPOLLHUP) },
	"poll to write": func(fd int) error {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		return err
	},
	"go": func(fd int) error { // makes the listener, and does not accept
		l, err := net.FileListener(os.NewFile(uintptr(fd), "listener"))
		if err == nil {
			_, err = io.ReadAll(os.Stdout)
			l.Close()
		}
		return err
	},
	"closed": func(fd int) error { return unix.Close(fd) },
}

func waitEpoll(fd int, events uint32) error {
	ep, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return err
	}
	_, err = unix.EpollWait(ep, make([]unix.EpollEvent, 1), -1)
	return err
}

func listenerOf(t testing.TB, fd int) process.Listener {
	t.Helper()
	l, err := process.NewListener(fd)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// sees looks until what it sees is as wanted: a thread that runs is not seen at once.
func sees(t testing.TB, p *process.Process, l process.Listener, want func(process.Sight) bool) process.Sight {
	t.Helper()
	var s process.Sight
	for late := time.Now().Add(time.Minute); time.Now().Before(late); runtime.Gosched() {
		if s = p.Look([]process.Listener{l})[0]; want(s) {
			break
		}
	}
	return s
}

func waits(s process.Sight) bool { return s.Waits }

func TestProcessThatWaitsForConnectionsIsSeen(t *testing.T) {
	table := newTable(t)
	for _, network := range []string{"tcp", "unix"} {
		for _, way := range []string{"accept", "poll", "ppoll", "select", "pselect", "epoll", "epoll exclusive", "accept*3", "epoll*3", "thread 100"} {
			t.Run(network+" "+way, func(t *testing.T) {
				fd, _ := listening(t, network)
				w, ours := acceptor(t, table, way, fd, nil)
				if s := sees(t, w.process, listenerOf(t, fd), waits); !s.Waits || s.Unseen != "" {
					t.Errorf("seen: %+v", s)
				}
				ours.end(t, w)
			})
		}
	}
}

// looks is how often what must not be seen is looked for.
const looks = 50

func TestProcessThatDoesNotWaitIsNotSeenToWait(t *testing.T) {
	table := newTable(t)
	for _, way := range []string{"nothing", "nothing*3", "epoll hangup", "poll to write", "closed"} {
		t.Run(way, func(t *testing.T) {
			fd, _ := listening(t, "tcp")
			w, ours := acceptor(t, table, way, fd, nil)
			for range looks {
				if s := w.process.Look([]process.Listener{listenerOf(t, fd)})[0]; s.Waits || s.Registered || s.Unseen != "" {
					t.Fatalf("seen: %+v", s)
				}
			}
			ours.end(t, w)
		})
	}
}

// Go tells its epoll of a listener when it is made, and tokio does: that is not yet to
// wait for connections.
func TestAListenerThatIsOnlyRegisteredIsToldApart(t *testing.T) {
	table := newTable(t)
	for _, way := range []string{"go", "epoll edge"} {
		fd, _ := listening(t, "tcp")
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		w, ours := acceptor(t, table, way, fd, nil)
		s := sees(t, w.process, listenerOf(t, fd), func(s process.Sight) bool { return s.Registered })
		if !s.Registered || s.Waits {
			t.Errorf("%s: %+v", way, s)
		}
		ours.end(t, w)
	}
}

// The workers of a server may all be busy at the moment of a look.
func TestProcessThatHoldsAConnectionIsSeen(t *testing.T) {
	table := newTable(t)
	for _, network := range []string{"tcp", "unix"} {
		fd, address := listening(t, network)
		client, err := net.Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		w, ours := acceptor(t, table, "busy", fd, nil)
		if s := sees(t, w.process, listenerOf(t, fd), waits); !s.Waits {
			t.Errorf("%s: %+v", network, s)
		}
		other, _ := listening(t, network) // where it has accepted nothing
		if s := w.process.Look([]process.Listener{listenerOf(t, other)})[0]; s.Waits {
			t.Errorf("%s: seen at another socket too: %+v", network, s)
		}
		ours.end(t, w)
	}
}

func TestEachOfSeveralSocketsIsLookedAt(t *testing.T) {
	table := newTable(t)
	first, _ := listening(t, "tcp")
	second, _ := listening(t, "unix")
	w, ours := acceptor(t, table, "accept", first, func(s *process.Spec) { s.Sockets = append(s.Sockets, second) })
	sees(t, w.process, listenerOf(t, first), waits)
	sights := w.process.Look([]process.Listener{listenerOf(t, second), listenerOf(t, first)})
	if sights[0].Waits || !sights[1].Waits {
		t.Errorf("seen: %+v; it waits on the second of these only", sights)
	}
	ours.end(t, w)
}

func TestAProgramWithARingIsSaidToBeUnseen(t *testing.T) {
	table := newTable(t)
	fd, _ := listening(t, "tcp")
	w, ours := acceptor(t, table, "ring", fd, nil)
	if s := w.process.Look([]process.Listener{listenerOf(t, fd)})[0]; s.Waits || !strings.Contains(s.Unseen, "io_uring") {
		t.Errorf("seen: %+v", s)
	}
	ours.end(t, w)
}

// What the main process left behind when it ended is still of its session.
func TestOrphansOfTheSessionAreLookedAt(t *testing.T) {
	table := newTable(t)
	fd, _ := listening(t, "tcp")
	ours, theirs := newLine(t)
	spec := helper("leave", "accept")
	spec.Stdout, spec.Sockets = theirs, []int{fd}
	w := start(t, table, spec)
	unix.Close(theirs)
	w.await(t, "execed", "exited")
	if s := sees(t, w.process, listenerOf(t, fd), waits); !s.Waits {
		t.Errorf("seen: %+v", s)
	}
	ours.Close()
	w.await(t, "emptied")
}

// helpLeave leaves a server behind.
func helpLeave() int {
	os.Setenv("HELPER", "acceptor")
	if _, err := syscall.ForkExec(self(), []string{"helper", os.Args[1]}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2, 3}}); err != nil {
		panic(err)
	}
	return 0
}

// A look is bounded, and the next ones see what it did not get to.
func TestOneThreadOfVeryManyIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 5000 threads")
	}
	table := newTable(t)
	fd, _ := listening(t, "tcp")
	w, ours := acceptor(t, table, "thread 5000", fd, nil)
	if s := sees(t, w.process, listenerOf(t, fd), waits); !s.Waits {
		t.Errorf("seen: %+v", s)
	}
	ours.end(t, w)
}

func TestOtherEndOfAConnectionIsThatOfItsAcceptor(t *testing.T) {
	table := newTable(t)
	for _, network := range []string{"tcp", "unix"} {
		fd, address := listening(t, network)
		idle, toIdle := acceptor(t, table, "nothing", fd, nil)
		client, err := net.Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if inode := otherEnd(t, client); inode != 0 {
			t.Errorf("%s: the other end is %d, and nobody has accepted it", network, inode)
		}
		w, ours := acceptor(t, table, "busy*2", fd, nil)
		other, err := net.Dial(network, address) // the second worker's
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		sees(t, w.process, listenerOf(t, fd), waits)
		inode := otherEnd(t, client)
		if pid, unseen := w.process.Holder(inode); inode == 0 || pid == 0 || pid == w.process.PID() || unseen != "" {
			t.Errorf("%s: socket %d is held by %d (%s), want a worker", network, inode, pid, unseen)
		}
		if pid, unseen := idle.process.Holder(inode); pid != 0 || unseen != "" {
			t.Errorf("%s: it is held by %d too (%s)", network, pid, unseen)
		}
		toIdle.end(t, idle)
		ours.end(t, w)
	}
}

func otherEnd(t *testing.T, conn net.Conn) uint64 {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var inode uint64
	if controlErr := raw.Control(func(fd uintptr) { inode, err = process.OtherEnd(int(fd)) }); controlErr != nil || err != nil {
		t.Fatal(controlErr, err)
	}
	return inode
}

func BenchmarkLook(b *testing.B) {
	const processes, threads = 32, 8
	table := newTable(b)
	for _, way := range []string{"epoll", "pselect", "nothing"} {
		b.Run(fmt.Sprintf("%s/%d processes of %d threads", way, processes, threads), func(b *testing.B) {
			fd, _ := listening(b, "tcp")
			w, ours := acceptor(b, table, fmt.Sprintf("%s*%d", way, processes), fd, nil)
			l := []process.Listener{listenerOf(b, fd)}
			for b.Loop() {
				w.process.Look(l)
			}
			ours.end(b, w)
		})
	}
}

// In a container root has no CAP_SYS_PTRACE, and may not look at the processes of
// another user; with hidepid it does not even see them.
func TestWhatRunsAsAnotherUserIsSeenWithoutTheRightToTrace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root runs services as somebody else")
	}
	program := forEverybody(t)
	for name, change := range map[string]func(*exec.Cmd){
		"capability dropped": func(cmd *exec.Cmd) {},
		"hidepid":            func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "HIDEPID=1") },
		"user namespace": func(cmd *exec.Cmd) {
			ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 65534, HostID: 65534, Size: 1}}
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(program)
			cmd.Env = append(os.Environ(), "HELPER=untraceable", "GORACE=atexit_sleep_ms=0")
			change(cmd)
			out, err := cmd.CombinedOutput()
			if text := string(out); strings.HasPrefix(text, "cannot ") {
				t.Skip(text)
			}
			if err != nil || !strings.HasSuffix(string(out), "seen\n") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// forEverybody returns a copy of this program that every user can execute.
func forEverybody(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hupwatch") //nolint:usetesting // nobody else can enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	text, err := os.ReadFile(self())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "test"), text, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "test")
}

// helpUntraceable gives up the right to trace, which takes an exec, and goes on as
// helpLookout.
func helpUntraceable() int {
	runtime.LockOSThread()
	if os.Getenv("HIDEPID") != "" {
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = unix.Mount("proc", "/proc", "proc", 0, "hidepid=2")
		}
		if err != nil {
			fmt.Println("cannot mount /proc:", err)
			return 0
		}
	}
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_PTRACE, 0, 0, 0); err != nil {
		fmt.Println("cannot drop the capability:", err)
		return 0
	}
	os.Setenv("HELPER", "lookout")
	panic(unix.Exec(self(), []string{"helper"}, os.Environ()))
}

// helpLookout looks at servers that run as nobody.
func helpLookout() int {
	table := process.NewTable()
	go func() { _ = table.Run(context.Background()) }()
	t := &lookout{}
	fd, _ := listening(t, "tcp")
	w, ours := acceptor(t, table, "zombie", fd, func(s *process.Spec) {
		s.Credential = &process.Credential{UID: 65534, GID: 65534}
	})
	if s := w.process.Look([]process.Listener{listenerOf(t, fd)})[0]; s.Waits || s.Unseen != "" {
		t.Fatalf("a zombie hides its generation: %+v", s)
	}
	if _, unseen := w.process.Holder(1); unseen != "" {
		t.Fatalf("a zombie hides its generation: %s", unseen)
	}
	ours.end(t, w)
	for _, way := range []string{"pselect", "epoll*2"} {
		fd, address := listening(t, "tcp")
		w, ours := acceptor(t, table, way, fd, func(s *process.Spec) {
			s.Credential = &process.Credential{UID: 65534, GID: 65534}
		})
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/3", w.process.PID())); err == nil {
			fmt.Println("cannot be tried: this root may look at everybody")
			return 0
		}
		if s := sees(t, w.process, listenerOf(t, fd), waits); !s.Waits || s.Unseen != "" {
			t.Fatalf("%s: %+v", way, s)
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, unseen := w.process.Holder(1); unseen != "" {
			t.Fatalf("%s: who has a connection is not seen: %s", way, unseen)
		}
		conn.Close()
		if err := unix.Setuid(0); err != nil || unix.Geteuid() != 0 {
			t.Fatalf("it is not root any more: %v", err)
		}
		if n, err := unix.SetfsuidRetUid(-1); n != 0 {
			t.Fatalf("a thread still is user %d for the file system: %v", n, err)
		}
		ours.end(t, w)
	}
	fmt.Println("seen")
	return 0
}

// lookout is the testing.TB of a helper.
type lookout struct {
	testing.TB
}

func (*lookout) Helper()                        {}
func (*lookout) Cleanup(func())                 {}
func (l *lookout) Fatal(args ...any)            { panic(fmt.Sprint(args...)) }
func (l *lookout) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }
func (l *lookout) Skip(args ...any)             { panic(fmt.Sprint(args...)) }
