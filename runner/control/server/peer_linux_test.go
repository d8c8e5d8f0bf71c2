package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hupwatch/runner/control"
)

// Somebody else is this test binary again, as another user, which does what
// asSomebody says.
const (
	asSomebody = "HUPWATCH_TEST_PEER"
	nobody     = 65534
	deploy     = 54321 // a group that nobody is in
)

func TestMain(m *testing.M) {
	task, socket, ok := strings.Cut(os.Getenv(asSomebody), " ")
	if !ok {
		os.Exit(m.Run())
	}
	switch task {
	case "ask":
		askEverything(socket)
	case "crowd":
		crowd(socket)
	case "keep":
		keep(socket)
	}
}

// try is one request, and what came of it.
type try struct {
	Method, Path, Body string
	Status             int
	Refusal            control.Error
	Err                string
}

var tries = []try{
	{Method: "GET", Path: "/v1/status"},
	{Method: "GET", Path: "/v1/services/web"},
	{Method: "GET", Path: "/v1/plan"},
	{Method: "GET", Path: "/v1/events"},
	{Method: "GET", Path: "/v1/reloads/4"},
	{Method: "GET", Path: "/readyz"},
	{Method: "GET", Path: "/healthz"},
	{Method: "POST", Path: "/v1/reload", Body: `{"no_wait":true,"key":"k"}`},
	{Method: "GET", Path: "/nothing"},
	// What only root and the owner may:
	{Method: "GET", Path: "/v1/services/web/logs"},
	{Method: "POST", Path: "/v1/services/web/start", Body: `{"no_wait":true}`},
	{Method: "POST", Path: "/v1/services/web/stop", Body: `{"no_wait":true}`},
	{Method: "POST", Path: "/v1/services/all/restart", Body: `{"no_wait":true}`},
	{Method: "POST", Path: "/v1/services/web/signal", Body: `{"no_wait":true,"signal":"HUP"}`},
}

const membersMay = 9 // of the tries

// askEverything tries everything and writes what came of it.
func askEverything(socket string) {
	for _, t := range tries {
		t.ask(socket)
		if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
			panic(err)
		}
	}
}

func (t *try) ask(socket string) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Err = err.Error()
		return
	}
	defer c.Close()
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", t.Method, t.Path, len(t.Body), t.Body)
	text, err := io.ReadAll(c)
	if err != nil {
		t.Err = err.Error()
	}
	head, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	fmt.Sscanf(string(head), "HTTP/1.1 %d", &t.Status)
	if t.Status != 200 {
		json.Unmarshal(body, &t.Refusal)
	}
}

// crowd opens as many connections as it can hold, and holds them until it is
// told to end. It says how many of them are open.
func crowd(socket string) {
	const many = 400 // more than there is room for
	for range many {
		if c, err := net.Dial("unix", socket); err == nil {
			defer c.Close()
		}
	}
	fmt.Println("here")
	io.Copy(io.Discard, os.Stdin)
}

// keep asks on one connection, and again when it is told to, and writes what
// came first.
func keep(socket string) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		panic(err)
	}
	told, answer := bufio.NewReader(os.Stdin), bufio.NewReader(c)
	for range 2 {
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		line, _ := answer.ReadString('\n')
		fmt.Print(line)
		for !strings.HasPrefix(line, "{") && err == nil {
			line, err = answer.ReadString('\n')
		}
		told.ReadString('\n')
	}
}

// somebody is the command that does the task as another user.
func somebody(t *testing.T, task, socket string, uid, gid int, groups ...uint32) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	program := filepath.Join(runtimeDir(t), "peer") // go test's own is in a directory that others cannot enter
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	syscall.ForkLock.RLock() // a child that holds it open for writing would make the text file busy
	err = os.WriteFile(program, text, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program)
	c.Env = []string{asSomebody + "=" + task + " " + socket, "GORACE=atexit_sleep_ms=0"}
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: groups}}
	return c
}

func answers(t *testing.T, c *exec.Cmd) []try {
	t.Helper()
	text, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []try
	for line := range bytes.Lines(text) {
		var a try
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	if len(got) != len(tries) {
		t.Fatalf("%d answers to %d questions: %s", len(got), len(tries), text)
	}
	return got
}

func TestSomebodyElseCannotEvenConnect(t *testing.T) {
	t.Parallel()
	f := full()
	s := start(t, f)
	for _, a := range answers(t, somebody(t, "ask", s.socket, nobody, nobody)) {
		if !strings.Contains(a.Err, "permission denied") {
			t.Errorf("%s", jsonOf(t, a))
		}
	}
}

func TestSomebodyElseMayDoNothing(t *testing.T) {
	t.Parallel()
	f := full()
	f.gid = deploy
	s := start(t, f)
	if err := os.Chmod(s.socket, 0o666); err != nil { // as if it were not enough to keep them out
		t.Fatal(err)
	}
	for _, a := range answers(t, somebody(t, "ask", s.socket, nobody, nobody, 12345)) {
		if a.Status != 403 || a.Refusal.Reason != control.ReasonForbidden || !strings.Contains(a.Refusal.Message, "uid 65534 pid ") || !strings.Contains(a.Refusal.Message, "daemon.control_group") {
			t.Errorf("%s", jsonOf(t, a))
		}
	}
	if len(f.asked()) > 0 {
		t.Errorf("the daemon was asked %s", jsonOf(t, f.asked()))
	}
}

func TestAMemberOfTheControlGroupMaySeeAndReload(t *testing.T) {
	t.Parallel()
	many := []uint32{deploy}
	for gid := range uint32(100) { // more than fit at the first look
		many = append(many, 1000+gid)
	}
	for name, test := range map[string]struct {
		gid    int
		groups []uint32
	}{
		"primary":       {deploy, nil},
		"supplementary": {nobody, []uint32{deploy}},
		"one of many":   {nobody, many},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := full()
			f.gid = deploy
			s := start(t, f)
			for i, a := range answers(t, somebody(t, "ask", s.socket, nobody, test.gid, test.groups...)) {
				switch {
				case a.Path == "/nothing":
					if a.Status != 404 {
						t.Errorf("%s", jsonOf(t, a))
					}
				case i < membersMay:
					if a.Status != 200 {
						t.Errorf("%s", jsonOf(t, a))
					}
				case a.Status != 403 || a.Refusal.Reason != control.ReasonForbidden || !strings.Contains(a.Refusal.Message, "become root or the user hupwatch runs as"):
					t.Errorf("%s", jsonOf(t, a))
				}
			}
			asks := f.asked()
			if len(asks) != 1 || asks[0].what != "reload" || !strings.HasPrefix(asks[0].by, "uid 65534 pid ") {
				t.Errorf("the daemon was asked %+v", asks)
			}
		})
	}
}

func TestSameKeyOfTwoUsersIsTwoRequests(t *testing.T) {
	t.Parallel()
	f := full()
	f.gid = deploy
	s := start(t, f)
	for _, uid := range []int{nobody, nobody, nobody - 1} {
		answers(t, somebody(t, "ask", s.socket, uid, deploy))
	}
	if n := len(f.asked()); n != 2 {
		t.Errorf("two users asked twice and once with the same key, and the daemon was asked %d times", n)
	}
}

func TestTheControlGroupChangesLive(t *testing.T) {
	t.Parallel()
	f := full()
	s := start(t, f)
	mode := func(wantMode os.FileMode, wantGID uint32) {
		t.Helper()
		if err := s.Admit(); err != nil {
			t.Error(err)
		}
		info, err := os.Lstat(s.socket)
		if err != nil {
			t.Fatal(err)
		}
		if gid := info.Sys().(*syscall.Stat_t).Gid; info.Mode().Perm() != wantMode || wantMode == 0o660 && gid != wantGID {
			t.Errorf("mode %o, group %d, want %o, %d", info.Mode().Perm(), gid, wantMode, wantGID)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give the socket to any group")
	}
	mode(0o600, 0)
	first := answers(t, somebody(t, "ask", s.socket, nobody, deploy))[0]
	f.change(func() { f.gid = deploy })
	mode(0o660, deploy)
	second := answers(t, somebody(t, "ask", s.socket, nobody, deploy))[0]
	if first.Status != 0 || second.Status != 200 {
		t.Errorf("before: %s\nafter: %s", jsonOf(t, first), jsonOf(t, second))
	}
	f.change(func() { f.gid = 54322 })
	mode(0o660, 54322)
	mode(0o660, 54322)
	f.change(func() { f.gid = 0 })
	mode(0o600, 0)
}

func TestAConnectionLosesItsRightsWithTheGroup(t *testing.T) {
	t.Parallel()
	f := full()
	f.gid = deploy
	s := start(t, f)
	c := somebody(t, "keep", s.socket, nobody, deploy)
	in, out := pipes(t, c)
	expect := func(want string) {
		t.Helper()
		if line, err := out.ReadString('\n'); err != nil || !strings.Contains(line, want) {
			t.Errorf("%q, %v; want %s", line, err, want)
		}
	}
	expect("200 OK")
	f.change(func() { f.gid = 0 })
	io.WriteString(in, "go on\n")
	expect("403 Forbidden")
	in.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// pipes starts a command, to talk with it.
func pipes(t *testing.T, c *exec.Cmd) (io.WriteCloser, *bufio.Reader) {
	t.Helper()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return in, bufio.NewReader(out)
}

func TestACrowdCannotTakeRootsPlaces(t *testing.T) {
	t.Parallel()
	for name, gid := range map[string]int{"of members": deploy, "of strangers": nobody} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := full()
			f.gid = deploy
			s := start(t, f)
			if err := os.Chmod(s.socket, 0o666); err != nil {
				t.Fatal(err)
			}
			c := somebody(t, "crowd", s.socket, nobody, gid)
			in, out := pipes(t, c)
			if _, err := out.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if _, err := s.client.Status(t.Context(), false); err != nil {
				t.Errorf("root: %v", err)
			}
			if gid == deploy {
				one := answers(t, somebody(t, "ask", s.socket, nobody-1, deploy))[0]
				if one.Status != 200 {
					t.Errorf("another member: %s", jsonOf(t, one))
				}
			}
			in.Close()
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheEndOfDescriptorsIsReportedAndOver(t *testing.T) {
	if os.Getenv("HUPWATCH_TEST_FEW") == "" {
		t.Parallel()
		c := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
		c.Env = append(os.Environ(), "HUPWATCH_TEST_FEW=1", "GORACE=atexit_sleep_ms=0")
		if text, err := c.CombinedOutput(); err != nil || !bytes.Contains(text, []byte("PASS")) {
			t.Errorf("%v\n%s", err, text)
		}
		return
	}
	s := start(t, full())
	var clients []net.Conn
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	highest, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer highest.Close()
	few := old
	few.Cur = uint64(highest.Fd()) + 10
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	for {
		c, err := net.Dial("unix", s.socket)
		if err != nil {
			break
		}
		clients = append(clients, c)
	}
	await(t, "report", func() bool { return s.reported("too many open files; clients wait") })
	for _, c := range clients {
		c.Close()
	}
	if _, err := s.client.Status(context.Background(), false); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
