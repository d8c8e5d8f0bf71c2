package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// published is a service that opens its own socket, and can be met at DIR/web.
func published(dir, script string, keys ...string) string {
	return service("web", "listen ${HUPWATCH_BIND}; "+script, append(keys, fmt.Sprintf("publish = %q", dir+"/web"))...)
}

// leads fails the test unless the public path leads to that generation, and only
// these have a socket.
func (d *daemon) leads(generation int, sockets ...int) {
	d.t.Helper()
	if got, err := os.Readlink(d.path("web")); err != nil || got != fmt.Sprintf("web.d/%d.sock", generation) {
		d.t.Errorf("the public path leads to %q, %v, want generation %d", got, err, generation)
	}
	var want []string
	for _, n := range sockets {
		want = append(want, fmt.Sprintf("%d.sock", n))
	}
	eventually(d.t, fmt.Sprintf("the sockets are those of %v", sockets), func() bool {
		return strings.Join(d.entries("web.d"), " ") == strings.Join(want, " ")
	})
}

func TestThePublicPathLeadsToTheNewOneWhileTheOldOneFinishesItsWork(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+published(dir, "serve; gate g; exit 0", `overlap = "100ms"`))
	d.up("web", 1)
	answers(t, d.path("web"), "web 1")
	d.leads(1, 1)
	d.signal(syscall.SIGHUP)
	d.says("got TERM", "web", 1)
	answers(t, d.path("web"), "web 2")
	answers(t, d.path("web.d/1.sock"), "web 1") // who is connected to the old one
	d.leads(2, 1, 2)
	d.order([]string{"msg=generation published", "generation=2"}, []string{"msg=stop signal sent", "generation=1"})
	d.open("g")
	d.sees("msg=generation exited", "generation=1")
	d.leads(2, 2)
	d.open("g") // for the second
	d.ends(syscall.SIGTERM, soon)
	absent(t, d.path("web"))
	absent(t, d.path("web.d"))
}

func TestAPublishedServiceThatIsKilledIsPublishedAnew(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+published(dir, "serve"))
	if err := syscall.Kill(d.up("web", 1), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.up("web", 2)
	answers(t, d.path("web"), "web 2")
	d.leads(2, 2)
}

func TestDeathInTheOverlapLeadsBackToTheOldOne(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+published(dir, "serve"))
	pid := d.up("web", 1)
	d.configure(quick + published(dir, "gate die; exit 9", `overlap = "1h"`))
	d.signal(syscall.SIGHUP)
	d.sees("msg=generation published", "generation=2")
	answers(t, d.path("web"), "web 2")
	if in := d.status("web").Incoming; len(in) != 1 || in[0].Phase != "overlapping" {
		t.Errorf("incoming is %+v", in)
	}
	d.open("die")
	wants(t, d.sees("msg=reload ended", "result=kept_old")["err"], "exited with status 9", "while the one before it still served")
	eventually(t, "the old one answers", func() bool { got, _ := asks(d.path("web")); return got == "web 1" })
	d.leads(1, 1)
	if got := d.status("web"); got.PID != pid || len(d.all("msg=stop signal sent", "generation=1")) > 0 {
		t.Errorf("the old one is not what it was: %+v", got)
	}
}

func TestAServiceThatDoesNotOpenItsSocketIsKeptOut(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+published(dir, "serve"))
	d.up("web", 1)
	d.configure(quick + service("web", "serve", fmt.Sprintf("publish = %q", dir+"/web"), `start_timeout = "8s"`))
	wants(t, d.keepsOld("web", "1"), "not ready within start_timeout", "web.d/2.sock")
	answers(t, d.path("web"), "web 1")
	d.leads(1, 1)
}

func TestAFileOfSomebodyElseIsNotReplacedAndTheRemedyIsTold(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+service("web", "serve"))
	d.up("web", 1)
	d.write("web", "precious")
	d.configure(quick + published(dir, "serve"))
	wants(t, d.keepsOld("web", "1"), "publish "+dir+"/web", "remove it, or choose another path")
	if d.read("web") != "precious" {
		t.Errorf("it was replaced")
	}
	if err := os.Remove(d.path("web")); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload ended", "reload=2", "result=promoted")
	answers(t, d.path("web"), d.who("web"))
	if err := os.Remove(d.path("web")); err != nil {
		t.Fatal(err)
	}
	d.write("web", "precious")
	d.ends(syscall.SIGTERM, soon)
	if d.read("web") != "precious" {
		t.Errorf("it was removed")
	}
}

// who is what the active generation of a service answers.
func (d *daemon) who(name string) string {
	d.t.Helper()
	return fmt.Sprintf("%s %d", name, d.status(name).Generation)
}

func TestAnotherUserOpensItsSocketInADirectoryOfRoots(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	d := newDaemonOf(t, 0)
	d.configure(quick + strings.Replace(published(d.dir, "where; serve", `user = "nobody"`), player(), d.path("program"), 1))
	d.start()
	d.says("uid 65534 in "+d.dir, "web", 1)
	for generation := 1; generation <= 2; generation++ {
		d.up("web", generation)
		answers(t, d.path("web"), fmt.Sprintf("web %d", generation))
		d.signal(syscall.SIGHUP)
	}
}

func TestStopTakesThePublicPathAway(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+published(dir, "serve"))
	d.up("web", 1)
	d.asks(exitDone, "stop", "web")
	absent(t, d.path("web"))
	absent(t, d.path("web.d"))
	d.asks(exitDone, "start", "web")
	answers(t, d.path("web"), d.who("web"))
	d.configure(quick + service("web", "serve", fmt.Sprintf(`listen = ["tcp://%s"]`, loopback()))) // it publishes nothing any more
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload ended", "reload=3", "result=promoted")
	d.sees("msg=generation exited", "reload=3")
	eventually(t, "the public path is gone", func() bool {
		_, err := os.Lstat(d.path("web"))
		return errors.Is(err, fs.ErrNotExist)
	})
}

func TestWhatAKilledHupwatchLeftOfPublicPathsIsRemoved(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := newDaemon(t, dir)
	said := d.said()
	d.configure(quick + quiet(d, "web", "listen ${HUPWATCH_BIND}; serve", fmt.Sprintf("publish = %q", dir+"/web")))
	d.start()
	d.promoted("web", 1)
	d.name("web\n")
	d.promoted("web", 2)
	d.sees("msg=generation exited", "generation=1")
	d.name("web\n")
	d.promoted("web", 3)
	d.sees("msg=generation exited", "generation=2")
	for _, pid := range d.crash() {
		kill(t, pid)
	}
	said.serving("web", 3)
	d.leads(3, 3) // a dead one
	if err := os.WriteFile(filepath.Join(dir, "web.d", "7.sock.lock"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	next := d.again()
	next.promoted("web", 1)
	answers(t, d.path("web"), "web 1")
	next.leads(1, 1)
}

// What only the generation before could open, since it was its own, is not asked of
// the next one.
func TestAServiceThatPublishesCanBeMadeOneThatDoesNot(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+published(dir, "serve"))
	d.up("web", 1)
	d.configure(quick + service("web", "serve"))
	d.asks(exitDone, "reload", "web").says(exitDone, "promoted")
}

// oneByOne is a server that takes its time for each request, as one with busy workers
// does, and serves nobody in its queue once it got its stop signal.
const oneByOne = `
import os, signal, socket, sys, time
busy = stop = False
def term(*_):
    global stop
    stop = True
    if not busy: sys.exit(0)
signal.signal(signal.SIGTERM, term)
s = socket.socket(socket.AF_UNIX)
s.bind(os.environ["HUPWATCH_BIND"])
s.listen(128)
while not stop:
    c, _ = s.accept()
    busy = True
    c.settimeout(5)
    if c.recv(1):
        time.sleep(0.1)
        c.sendall(b"done")
    c.close()
    busy = False
`

// Who connected before the public path led elsewhere waits in the queue of the old
// generation, and is served before that is told to stop.
func TestConnectionsInTheQueueOfAPublishedServerAreServed(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	d := newDaemon(t, shortDir(t))
	d.write("server.py", oneByOne)
	d.configure(quick + fmt.Sprintf("[services.web]\ncommand = [\"python3\", \"server.py\"]\nwarmup = \"500ms\"\npublish = %q\n", d.path("web")))
	d.start()
	d.promoted("web", 1)
	d.signal(syscall.SIGHUP)
	d.sees("msg=generation ready", "generation=2")
	var clients []net.Conn
	for range 20 {
		c, err := net.Dial("unix", d.path("web"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	for i, c := range clients {
		if answer, err := io.ReadAll(c); string(answer) != "done" {
			t.Errorf("client %d gets %q, %v", i, answer, err)
		}
	}
	d.sees("msg=reload done", "promoted=1")
}
