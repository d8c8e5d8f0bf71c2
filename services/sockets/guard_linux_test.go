package sockets_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/services/process/poller"
	"hupwatch/services/sockets"
)

func newWatch(t *testing.T) (*sockets.Watch, *poller.Poller) {
	t.Helper()
	p, err := poller.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	w, err := sockets.NewWatch(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w, p
}

// keeper is the goroutine of a service, which repairs when it is told.
type keeper struct {
	*testing.T
	sockets.Guard
	changes  chan struct{}
	repaired chan string
}

func keep(t *testing.T, w *sockets.Watch, s *sockets.Set, publics, theirs []string) *keeper {
	t.Helper()
	k := &keeper{T: t, changes: make(chan struct{}, 1), repaired: make(chan string, 10000)}
	if err := k.Start(w, s, publics, theirs, k.changed); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		defer k.Stop()
		for {
			select {
			case <-k.changes:
				k.repair()
			case <-done:
				return
			}
		}
	})
	t.Cleanup(func() { close(done); running.Wait() })
	return k
}

func (k *keeper) changed() {
	select {
	case k.changes <- struct{}{}:
	default:
	}
}

func (k *keeper) repair() {
	repaired, err := k.Repair()
	if err != nil {
		repaired = append(repaired, err.Error())
	}
	for _, what := range repaired {
		k.repaired <- what
	}
}

func (k *keeper) want(what string) {
	k.Helper()
	select {
	case got := <-k.repaired:
		if !strings.HasPrefix(got, what) {
			k.Errorf("repaired %q, want %q", got, what)
		}
	case <-time.After(10 * time.Second):
		k.Errorf("%q was not repaired", what)
	}
}

// load is a process of clients: they are not in hupwatch's.
type load struct {
	*testing.T
	cmd *exec.Cmd
	end io.Closer
	out *bufio.Reader
}

const clients = 4

// newLoad returns when a client was answered.
func newLoad(t *testing.T, path string) load {
	t.Helper()
	l := load{T: t, cmd: helper(t, "clients", path)}
	in, err := l.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); l.cmd.Wait() })
	l.end, l.out = in, bufio.NewReader(out)
	if _, err := l.out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return l
}

// stop ends the load. Some clients found no path, in the instants without one; how
// many depends on how busy the host is.
func (l load) stop() {
	l.Helper()
	l.end.Close()
	text, _ := l.out.ReadString('\n')
	var answered, gone, others int
	if _, err := fmt.Sscanf(text, helperResult, &answered, &gone, &others); err != nil {
		l.Fatalf("the clients said %q: %v", text, err)
	}
	l.Logf("%d clients, a connection a millisecond each: %s", clients, text)
	if others > 0 {
		l.Error("clients that found the path were let down")
	}
}

const helperResult = "%d answered, %d found no path, %d failed otherwise\n"

// helpClients connects to a path until its standard input ends.
func helpClients(path string) {
	var (
		answered, gone, others atomic.Int64
		running                sync.WaitGroup
		first                  sync.Once
		done                   = make(chan struct{})
	)
	request := func() error {
		c, err := net.Dial("unix", path)
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
		text, err := io.ReadAll(c)
		if err == nil && len(text) == 0 {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	for range clients {
		running.Go(func() {
			for tick := time.Tick(time.Millisecond); ; {
				err := request()
				switch {
				case err == nil:
					answered.Add(1)
					first.Do(func() { fmt.Println("answered") })
				case errors.Is(err, fs.ErrNotExist):
					gone.Add(1)
				default:
					others.Add(1)
					fmt.Fprintln(os.Stderr, err)
				}
				select {
				case <-tick:
				case <-done:
					return
				}
			}
		})
	}
	io.Copy(io.Discard, os.Stdin)
	close(done)
	running.Wait()
	fmt.Printf(helperResult, answered.Load(), gone.Load(), others.Load())
}

// helpRemove removes a path for each line it gets, and says how long it was away.
func helpRemove(path string) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		start := time.Now()
		if err := unix.Unlink(path); err != nil {
			panic(err)
		}
		var st unix.Stat_t
		for unix.Lstat(path, &st) != nil && time.Since(start) < 10*time.Second {
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
}

// helper is this test binary in another part.
func helper(t *testing.T, part, path string) *exec.Cmd {
	t.Helper()
	c := exec.Command("/proc/self/exe", part, path)
	c.Env = append(os.Environ(), "HELPER=1", "GORACE=atexit_sleep_ms=0")
	c.Stderr = os.Stderr
	return c
}

func TestMain(m *testing.M) {
	if os.Getenv("HELPER") == "" {
		os.Exit(m.Run())
	}
	map[string]func(path string){"clients": helpClients, "remove": helpRemove}[os.Args[1]](os.Args[2])
}

func TestAPathIsPutBackBeforeMostClientsMissIt(t *testing.T) {
	w, _ := newWatch(t)
	s, l := newSet(t), path(t)
	answerAll(t, open(t, s, l)[0])
	k := keep(t, w, s, nil, nil)

	remover := helper(t, "remove", l.Address)
	in, err := remover.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := remover.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := remover.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); remover.Wait() })
	times := bufio.NewScanner(out)
	removals := func() {
		away := make([]time.Duration, 200)
		for i := range away {
			fmt.Fprintln(in)
			if !times.Scan() {
				t.Fatal("the remover has ended")
			}
			k.want(l.Address)
			ns, err := strconv.Atoi(times.Text())
			if err != nil {
				t.Fatal(err)
			}
			away[i] = time.Duration(ns)
		}
		slices.Sort(away)
		n := len(away)
		t.Logf("away for %v in the middle, %v in nine of ten, %v at most of %d", away[n/2], away[n*9/10], away[n-1], n)
	}
	removals()
	clients := newLoad(t, l.Address)
	removals()
	clients.stop()
}

// answerAll answers whatever comes in on a socket.
func answerAll(t *testing.T, fd int) {
	t.Helper()
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(own), "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	t.Cleanup(func() { server.Close() })
	go server.Serve(l)
}

func TestEachGuardIsToldOfItsOwnPaths(t *testing.T) {
	w, _ := newWatch(t)
	p := newPublished(t)
	p.start(1)
	theirs := filepath.Join(filepath.Dir(p.public), "other.sock")
	listenAt(t, theirs)
	var mistaken atomic.Int64
	var other sockets.Guard
	none := newSet(t)
	if err := other.Start(w, none, nil, []string{theirs}, func() { mistaken.Add(1) }); err != nil {
		t.Fatal(err)
	}
	k := keep(t, w, newSet(t), []string{p.public}, nil)
	for range 10 {
		remove(t, p.public)
		k.want(p.public)
		p.wantAnswer(1)
	}
	other.Stop() // the directory is still looked at for the first
	remove(t, theirs)
	if err := os.Symlink("web.sock.d/7.sock", theirs); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(theirs, p.public); err != nil {
		t.Fatal(err)
	}
	k.want(p.public)
	p.wantAnswer(1)
	if mistaken.Load() > 0 {
		t.Errorf("the other one was called %d times", mistaken.Load())
	}
}

func TestWhatIsGoneBeforeTheGuardStartsIsToldAtOnce(t *testing.T) {
	w, _ := newWatch(t)
	s, l := newSet(t), path(t)
	open(t, s, l)
	k := keep(t, w, s, nil, nil)
	remove(t, l.Address)
	k.want(l.Address)
	other := path(t).Address // its second name is there, so that a new start finds it gone
	listenAt(t, other)
	var g sockets.Guard
	start(t, &g, s, nil, []string{other})
	remove(t, other)
	told := make(chan struct{}, 100)
	if err := g.Start(w, s, nil, []string{other}, func() { told <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	<-told
	repair(t, &g, other)
}

func TestAShutDownIsToldAtOnceAndConnectionsAreNot(t *testing.T) {
	w, p := newWatch(t)
	s, l, u := newSet(t), freePort(t), path(t)
	fds := open(t, s, l, u)
	var calls atomic.Int64
	var g sockets.Guard
	t.Cleanup(g.Stop)
	if err := g.Start(w, s, nil, nil, func() { calls.Add(1) }); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := errors.Join(dial(t, fds[0]), dial(t, fds[1])); err != nil {
			t.Fatal(err)
		}
	}
	pollerIsThrough(t, p)
	if calls.Load() > 0 {
		t.Errorf("connections called %d times", calls.Load())
	}
	g.Stop()

	k := keep(t, w, s, nil, nil)
	for range 3 {
		if err := unix.Shutdown(fds[0], unix.SHUT_RDWR); err != nil {
			t.Fatal(err)
		}
		k.want("tcp " + l.Address)
		if err := dial(t, fds[0]); err != nil {
			t.Error(err)
		}
	}
	if err := unix.Shutdown(fds[1], unix.SHUT_RD); err != nil {
		t.Fatal(err)
	}
	k.want("unix " + u.Address + ": a process has shut the socket down")
	if len(k.repaired) > 0 {
		t.Errorf("said again: %q", <-k.repaired)
	}
}

// pollerIsThrough returns when the poller went round.
func pollerIsThrough(t *testing.T, p *poller.Poller) {
	t.Helper()
	fd, err := unix.Eventfd(1, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	round := make(chan struct{}, 10000)
	d, err := p.Add(fd, readable(func() { round <- struct{}{} }))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-round
	}
	d.Remove()
}

type readable func()

func (r readable) Readable(*poller.Descriptor, []byte) { r() }

func TestAShutDownUnixSocketIsOpenedAnewByAReload(t *testing.T) {
	s, l := newSet(t), path(t)
	fd := open(t, s, l)[0]
	if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if dial(t, fd) == nil {
		t.Fatal("it listens still")
	}
	if err := dial(t, open(t, s, l)[0]); err != nil {
		t.Error(err)
	}
}

func TestEventsThatTheKernelDroppedAreMadeUpFor(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip(err)
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || most > 100000 {
		t.Skipf("too many events for a test: %s", text)
	}
	w, p := newWatch(t)
	s, l := newSet(t), path(t)
	open(t, s, l)
	k := keep(t, w, s, nil, nil)

	entered, release := make(chan struct{}), make(chan struct{})
	fd, err := unix.Eventfd(1, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var once sync.Once
	d, err := p.Add(fd, readable(func() { once.Do(func() { close(entered); <-release }) }))
	if err != nil {
		t.Fatal(err)
	}
	<-entered // the poller stands still meanwhile
	a, b := l.Address+"a", l.Address+"b"
	if err := os.WriteFile(a, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range most/2 + 1 { // each is two events
		if err := os.Rename(a, b); err != nil {
			t.Fatal(err)
		}
		a, b = b, a
	}
	remove(t, l.Address)
	d.Remove()
	close(release)
	k.want(l.Address)
}

func TestGunicornLeavesThePathOfItsSocketToTheNextOne(t *testing.T) {
	gunicorn, err := exec.LookPath("gunicorn")
	if err != nil {
		t.Skip("gunicorn is not installed: apt-get install gunicorn")
	}
	const app = "def app(environ, start):\n start('200 OK', [('Content-Length', '0')])\n return []\n"
	for name, arguments := range map[string]func(path string) []string{
		"the socket is hupwatch's": func(string) []string { return []string{"fd://3"} },
		"each opens it itself":     func(path string) []string { return []string{"unix:" + path} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "wsgi.py"), []byte(app), 0o600); err != nil {
				t.Fatal(err)
			}
			w, _ := newWatch(t)
			s, l := newSet(t), path(t)
			bind := arguments(l.Address)
			inherited, theirs := (*os.File)(nil), []string{l.Address}
			if bind[0] == "fd://3" {
				fd, err := unix.FcntlInt(uintptr(open(t, s, l)[0]), unix.F_DUPFD_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				inherited, theirs = os.NewFile(uintptr(fd), "inherited"), nil
				defer inherited.Close()
			}
			launch := func() *exec.Cmd {
				t.Helper()
				c := exec.Command(gunicorn, "--chdir", dir, "--bind", bind[0], "--log-level", "error", "wsgi:app")
				if inherited != nil {
					c.ExtraFiles = []*os.File{inherited}
				}
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Process.Kill(); c.Wait() })
				return c
			}
			old := launch()
			awaitWorker(t, old)
			before := uint64(0)
			if inherited == nil {
				before = inode(t, l.Address)
			}
			fresh := launch()
			awaitWorker(t, fresh)
			if inherited == nil && inode(t, l.Address) == before {
				t.Fatal("the new one has not opened the path")
			}
			newest := inode(t, l.Address)

			k := keep(t, w, s, nil, theirs)
			clients := newLoad(t, l.Address)
			if err := old.Process.Signal(unix.SIGTERM); err != nil {
				t.Fatal(err)
			}
			k.want(l.Address)
			if err := old.Wait(); err != nil {
				t.Error(err)
			}
			clients.stop()
			if inode(t, l.Address) != newest {
				t.Error("it is not the new one's socket")
			}
		})
	}
}

// awaitWorker returns when a gunicorn has a worker, which it starts when it listens.
func awaitWorker(t *testing.T, c *exec.Cmd) {
	t.Helper()
	children := fmt.Sprintf("/proc/%d/task/%[1]d/children", c.Process.Pid)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if text, err := os.ReadFile(children); err == nil && len(text) > 0 {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal("gunicorn starts no worker")
}
