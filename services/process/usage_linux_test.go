package process_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

func init() { helpers["serve"] = helpServe }

// server is helpServe, in a session of its own.
type server struct {
	pid       int
	addresses []string
	stdin     io.WriteCloser
	replies   *bufio.Reader
}

func serve(t testing.TB, attr syscall.SysProcAttr, listen ...string) *server {
	t.Helper()
	attr.Setsid = true
	child := exec.Command(self(), listen...)
	child.Env = []string{"HELPER=serve", "GORACE=atexit_sleep_ms=0"}
	child.SysProcAttr = &attr
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := child.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	s := &server{pid: child.Process.Pid, stdin: stdin, replies: bufio.NewReader(stdout)}
	s.addresses = strings.Fields(s.reply(t))
	return s
}

func (s *server) reply(t testing.TB) string {
	t.Helper()
	text, err := s.replies.ReadString('\n')
	if err != nil {
		t.Fatalf("the server said nothing: %v", err)
	}
	return strings.TrimSpace(text)
}

func (s *server) ask(t testing.TB, words ...any) string {
	t.Helper()
	fmt.Fprintln(s.stdin, words...)
	return s.reply(t)
}

// connect connects to the server's nth address.
func (s *server) connect(t testing.TB, n int, network, address string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s.ask(t, "accept", n)
	return c
}

func (s *server) holds(t *testing.T, want int, when string) {
	t.Helper()
	if n, known := process.Connections(s.pid); n != want || !known {
		t.Errorf("%s: it holds %d connections, known %v; want %d", when, n, known, want)
	}
}

// helpServe listens on what its arguments say and does what it is asked, until
// its input ends.
func helpServe() int {
	var listeners []net.Listener
	var kept []any
	for _, arg := range os.Args[1:] {
		network, address, _ := strings.Cut(arg, "!")
		l, err := net.Listen(network, address)
		if err != nil {
			panic(err)
		}
		listeners = append(listeners, l)
		fmt.Print(l.Addr(), " ")
	}
	fmt.Println()
	var child int
	var last net.Conn
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.Fields(in.Text())
		reply := "ok"
		switch words[0] {
		case "accept":
			n, _ := strconv.Atoi(words[1])
			c, err := listeners[n].Accept()
			if err != nil {
				panic(err)
			}
			last = c
			kept = append(kept, c)
		case "dial":
			c, err := net.Dial(words[1], words[2])
			if err != nil {
				panic(err)
			}
			kept = append(kept, c)
		case "share": // the last connection with a child
			f, err := last.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				panic(err)
			}
			line, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				panic(err)
			}
			files := []uintptr{0, uintptr(line[1]), 2, f.Fd()}
			if child, err = syscall.ForkExec(self(), []string{"hold"}, &syscall.ProcAttr{Env: []string{"HELPER=hold"}, Files: files}); err != nil {
				panic(err)
			}
			unix.Close(line[1])
			ours := os.NewFile(uintptr(line[0]), "line")
			kept = append(kept, ours)
			bufio.NewReader(ours).ReadString('\n') // it is there
			f.Close()
			reply = strconv.Itoa(child)
		case "drop":
			last.Close()
		case "unlisten":
			for _, l := range listeners {
				l.Close()
			}
		case "eat":
			megabytes, _ := strconv.Atoi(words[1])
			food := make([]byte, megabytes<<20)
			for i := 0; i < len(food); i += 4096 {
				food[i] = 1
			}
			kept = append(kept, food)
		}
		fmt.Println(reply)
	}
	for _, k := range kept {
		if c, ok := k.(io.Closer); ok {
			c.Close()
		}
	}
	if child != 0 {
		syscall.Wait4(child, nil, 0, nil)
	}
	return 0
}

func TestConnectionsAreThoseOfClients(t *testing.T) {
	path := t.TempDir() + "/s"
	s := serve(t, syscall.SysProcAttr{}, "tcp4!127.0.0.1:0", "tcp!:0", "unix!"+path)
	s.holds(t, 0, "at first")
	first := s.connect(t, 0, "tcp4", s.addresses[0])
	s.holds(t, 1, "over tcp")
	_, port, _ := net.SplitHostPort(s.addresses[1])
	s.connect(t, 1, "tcp4", "127.0.0.1:"+port)
	s.holds(t, 2, "over tcp to any address")
	s.connect(t, 1, "tcp6", "[::1]:"+port)
	s.holds(t, 3, "over tcp6")
	s.connect(t, 2, "unix", path)
	s.holds(t, 4, "over a unix socket")

	other, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s.ask(t, "dial", "tcp4", other.Addr())
	s.holds(t, 4, "with one it has made itself")
	inner := serve(t, syscall.SysProcAttr{}, "unix!"+path+"2")
	s.ask(t, "dial", "unix", path+"2")
	inner.ask(t, "accept", 0)
	s.holds(t, 4, "with one it has made itself to a unix socket")

	first.Close()
	s.holds(t, 4, "with one that only the client has closed")
	s.connect(t, 0, "tcp4", s.addresses[0])
	s.holds(t, 5, "with one more")
	s.ask(t, "drop")
	s.holds(t, 4, "with that one closed")
}

func TestConnectionOfSeveralProcessesCountsOnce(t *testing.T) {
	s := serve(t, syscall.SysProcAttr{}, "tcp4!127.0.0.1:0")
	s.connect(t, 0, "tcp4", s.addresses[0])
	s.ask(t, "share")
	s.holds(t, 1, "shared with a child")
	s.ask(t, "drop")
	s.holds(t, 1, "held by the child alone")
}

func TestConnectionsToWhatAnotherSessionListensOnCount(t *testing.T) {
	s := serve(t, syscall.SysProcAttr{}, "tcp4!127.0.0.1:0")
	s.connect(t, 0, "tcp4", s.addresses[0])
	s.ask(t, "unlisten")
	s.holds(t, 0, "while nobody listens there any more")
	again, err := net.Listen("tcp4", s.addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	s.holds(t, 1, "when another one does")
}

func TestConnectionsInAnotherNetworkNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	path := t.TempDir() + "/s"
	s := serve(t, syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}, "unix!"+path)
	s.ask(t, "dial", "unix", path) // the kernel lists a connection where the client is
	s.ask(t, "accept", 0)
	s.holds(t, 1, "in a namespace of its own")
}

func TestConnectionsOfNobodyAreNotKnown(t *testing.T) {
	if n, known := process.Connections(1 << 30); n != 0 || known {
		t.Errorf("%d, %v", n, known)
	}
}

func TestMemoryIsThatOfAllProcessesOfASession(t *testing.T) {
	s := serve(t, syscall.SysProcAttr{}, "tcp4!127.0.0.1:0")
	sessions := []int{s.pid, 1 << 30}
	before := process.Memory(sessions)
	if _, found := before[1<<30]; found || before[s.pid] < 1<<20 {
		t.Fatalf("at first it holds %v", before)
	}
	s.ask(t, "eat", 64)
	fat := process.Memory(sessions)[s.pid]
	if grown := fat - before[s.pid]; grown < 60<<20 {
		t.Errorf("it has grown by %d bytes", grown)
	}
	if off := fat - resident(t, s.pid); off < -8<<20 || off > 8<<20 {
		t.Errorf("it holds %d bytes, %d off", fat, off)
	}
	s.connect(t, 0, "tcp4", s.addresses[0])
	child, err := strconv.Atoi(s.ask(t, "share"))
	if err != nil {
		t.Fatal(err)
	}
	want := resident(t, s.pid) + resident(t, child)
	if both := process.Memory(sessions)[s.pid]; both < want-resident(t, child)/2 || both > want+8<<20 {
		t.Errorf("with a child it holds %d bytes, want %d", both, want)
	}
}

func resident(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	kilobytes, _, _ := strings.Cut(field(t, string(status), "VmRSS:"), " ")
	n, err := strconv.ParseInt(kilobytes, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

func BenchmarkMemory(b *testing.B) {
	procs, _ := os.ReadDir("/proc")
	for b.Loop() {
		process.Memory([]int{os.Getpid()})
	}
	b.ReportMetric(float64(len(procs)), "entries")
}

func BenchmarkConnections(b *testing.B) {
	s := serve(b, syscall.SysProcAttr{}, "tcp4!127.0.0.1:0")
	for range 100 {
		s.connect(b, 0, "tcp4", s.addresses[0])
	}
	for b.Loop() {
		process.Connections(s.pid)
	}
}
