package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/cmd/hupwatch/early"
)

// asService makes the test binary a service that does what its script says, one
// statement after the other, and then ends with status 0:
//
//	say WORDS      says WORDS
//	print TEXT     writes TEXT, a Go string without its quotes, to its standard output
//	lines N        writes N lines that are told apart to its standard output
//	flood          does so until a TERM, and then says how many these were
//	serve          says serving, waits for a TERM and says so
//	await SIGNAL   waits for that signal and says so
//	record         says from now on which signals come
//	ignore SIGNAL  ignores it from now on
//	block SIGNAL   blocks it, for become
//	gate NAME      waits until the test opens the gate
//	child SCRIPT   starts a child in its group; a comma ends a statement of it
//	become ARGS    becomes hupwatch
//	tell NAME      says the value of that variable: NAME=VALUE
//	where          says its user and directory
//	listen ADDRESS answers HTTP there, see listenAt
//	answer N TEXT  answers with that status and text from now on
//	demand NAME X  answers who does not send the header NAME: X with 403 from now on
//	dribble ADDRESS answers there, and never comes to an end
//	shutdown FD    shuts the socket down, for all who have it
//	touch PATH     makes the file
//	remove PATH    removes the file
//	notify TEXT    says TEXT, a Go string without its quotes, to NOTIFY_SOCKET; SELF is its pid
//	pester         says something there as fast as it can, for ever
//	write FD TEXT  writes TEXT, likewise, to the descriptor
//	close FD       closes the descriptor
//	exit N         ends with that status
//	die SIGNAL     ends by that signal
//	hang           does nothing, for ever
//
// A semicolon ends a statement. What it says is a line among those of hupwatch's
// log: said="WORDS" service=web generation=1 pid=4711.
const asService = "TEST_AS_SERVICE"

// sayTo names a file that what services say goes to instead.
const sayTo = "TEST_SAY_TO"

// quick are the keys that keep a test short, and what crashes from being rolled
// back. They come first.
const quick = `
[defaults]
warmup = "50ms"
probation = 0
environment = { ` + asService + ` = "1" }
`

// failing is the warm-up of a service that is to end in it, however busy the host.
const failing = `warmup = "1h"`

// service is a section of the configuration: what its process does, and more keys.
func service(name, script string, keys ...string) string {
	return fmt.Sprintf("[services.%s]\ncommand = [%q, %q]\n%s\n", name, player(), script, strings.Join(keys, "\n"))
}

// player is the path of the program that plays the services: the test binary, or one
// like it without the race detector, which takes a quarter of the time to start.
var player = sync.OnceValue(func() string {
	if !raced {
		return self()
	}
	dir, err := os.MkdirTemp("", "hupwatch")
	if err != nil {
		panic(err)
	}
	playerDir = dir
	path := filepath.Join(dir, "player")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-o", path, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("build what plays the services: %v\n%s", err, out))
	}
	return path
})

// playerDir has it if it had to be built, and goes when all tests have ended.
var playerDir string

// self is the path of the test binary.
func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// serving waits until the script of a generation has come to serve, and returns
// the process.
func (d *daemon) serving(name string, generation int) int {
	d.t.Helper()
	return d.says("serving", name, generation)
}

// says waits until a generation has said this, and returns the process.
func (d *daemon) says(words, name string, generation int) int {
	d.t.Helper()
	return d.sees("said="+words, "service="+name, "generation="+strconv.Itoa(generation)).pid(d.t)
}

// promoted waits until a generation is the active one, and returns its process.
func (d *daemon) promoted(name string, generation int) int {
	d.t.Helper()
	return d.sees("msg=generation promoted", "service="+name, "generation="+strconv.Itoa(generation)).pid(d.t)
}

// up waits until a generation is active and its script has come to serve.
func (d *daemon) up(name string, generation int) int {
	d.t.Helper()
	d.serving(name, generation)
	return d.promoted(name, generation)
}

// crowded panics with so much going on that the trace is long.
func crowded(why string) error {
	debug.SetTraceback("all")
	for range 30 {
		go func() { select {} }()
	}
	panic(why)
}

// open lets one process through the gate of that name.
func (d *daemon) open(gate string) { d.openFor(1, gate) }

// openFor lets so many through.
func (d *daemon) openFor(n int, gate string) {
	d.t.Helper()
	if err := makeGate(d.path(gate)); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.OpenFile(d.path(gate), os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	d.gates = append(d.gates, f)
	if _, err := f.Write(make([]byte, n)); err != nil {
		d.t.Fatal(err)
	}
}

// makeGate is called by whoever comes first.
func makeGate(path string) error {
	if err := syscall.Mkfifo(path, 0o600); err != nil && err != syscall.EEXIST {
		return fmt.Errorf("make gate %s: %w", path, err)
	}
	return nil
}

// serveScript is the life of a service.
func serveScript(script string) {
	dieOfEarlySignal()
	for statement := range strings.SplitSeq(script, ";") {
		verb, rest, _ := strings.Cut(strings.TrimSpace(statement), " ")
		if err := perform(verb, rest); err != nil {
			say("cannot " + verb + " " + rest + ": " + err.Error())
			os.Exit(99)
		}
	}
	os.Exit(0)
}

// dieOfEarlySignal makes up for what this binary, being hupwatch's too, catches
// before main: a service dies of a signal that comes before it is prepared.
func dieOfEarlySignal() {
	early.Release()
	for sig, caught := range map[syscall.Signal]chan os.Signal{
		syscall.SIGHUP: early.HUP, syscall.SIGUSR1: early.USR1, syscall.SIGUSR2: early.USR2,
		syscall.SIGTERM: early.TERM, syscall.SIGQUIT: early.QUIT, syscall.SIGINT: early.INT,
	} {
		if len(caught) > 0 {
			_ = perform("die", strings.TrimPrefix(unix.SignalName(sig), "SIG"))
		}
	}
}

func perform(verb, rest string) error {
	switch verb {
	case "say":
		say(rest)
	case "print":
		text, err := strconv.Unquote(`"` + rest + `"`)
		if err == nil {
			_, err = os.Stdout.WriteString(text)
		}
		return err
	case "lines":
		n, err := strconv.Atoi(rest)
		if err == nil {
			err = writeLines(0, n)
		}
		return err
	case "flood":
		return flood()
	case "serve":
		got := catch(syscall.SIGTERM)
		say("serving")
		<-got
		say("got TERM")
	case "await":
		got := catch(unix.SignalNum("SIG" + rest))
		say("awaiting " + rest)
		<-got
		say("got " + rest)
	case "record":
		go record(catch(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT))
	case "ignore":
		signal.Ignore(unix.SignalNum("SIG" + rest))
	case "block":
		return block(unix.SignalNum("SIG" + rest))
	case "gate":
		return passGate(rest)
	case "panic":
		return crowded(rest)
	case "child":
		return child(strings.ReplaceAll(rest, ",", ";"))
	case "tell":
		say(rest + "=" + os.Getenv(rest))
	case "where":
		dir, err := os.Getwd()
		say(fmt.Sprintf("uid %d in %s", os.Getuid(), dir))
		return err
	case "listen":
		return answerAt(rest)
	case "open":
		return open(rest)
	case "accept":
		accept(opened)
	case "defer":
		return deferAccept(rest)
	case "answer":
		code, text, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(code)
		manners.Store(&manner{code: n, text: text})
		return err
	case "demand":
		name, value, _ := strings.Cut(rest, " ")
		manners.Store(&manner{header: name, want: value})
	case "banner":
		return banner(rest)
	case "dribble":
		return dribble(rest)
	case "shutdown":
		fd, err := strconv.Atoi(rest)
		return errors.Join(err, unix.Shutdown(fd, unix.SHUT_RDWR))
	case "touch":
		return os.WriteFile(rest, nil, 0o644)
	case "remove":
		return os.Remove(rest)
	case "notify":
		return tellManager(rest)
	case "pester":
		return pester()
	case "write":
		number, text, _ := strings.Cut(rest, " ")
		fd, err := strconv.Atoi(number)
		text, bad := strconv.Unquote(`"` + text + `"`)
		if err := errors.Join(err, bad); err != nil {
			return err
		}
		_, err = unix.Write(fd, []byte(text))
		return err
	case "close":
		fd, err := strconv.Atoi(rest)
		return errors.Join(err, unix.Close(fd))
	case "become":
		return become(strings.Fields(rest))
	case "finish":
		return finish()
	case "exit":
		code, err := strconv.Atoi(rest)
		if err == nil {
			os.Exit(code)
		}
		return err
	case "die":
		signal.Reset()
		if err := syscall.Kill(os.Getpid(), unix.SignalNum("SIG"+rest)); err != nil {
			return err
		}
		hang()
	case "hang":
		hang()
	default:
		return fmt.Errorf("there is no such verb")
	}
	return nil
}

func catch(signals ...os.Signal) chan os.Signal {
	c := make(chan os.Signal, 16)
	signal.Notify(c, signals...)
	return c
}

func record(got chan os.Signal) {
	for sig := range got {
		say("got " + strings.TrimPrefix(unix.SignalName(sig.(syscall.Signal)), "SIG"))
	}
}

// say writes one line at once, so that the lines of many do not mix.
func say(words string) {
	line := fmt.Sprintf("said=%q service=%s generation=%s pid=%d\n", words, os.Getenv("HUPWATCH_SERVICE"), os.Getenv("HUPWATCH_GENERATION"), os.Getpid())
	if path := os.Getenv(sayTo); path != "" {
		if f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0); err == nil {
			_, _ = f.WriteString(line)
			f.Close()
		}
		return
	}
	_, _ = os.Stderr.WriteString(line)
}

// numbered is the nth line that a generation writes.
func numbered(service, generation string, n int) string {
	return fmt.Sprintf("%s %s line %06d %s end", service, generation, n, strings.Repeat("=", n%100))
}

// writeLines writes so many of them, with calls that do not end where lines do.
func writeLines(first, n int) error {
	const atOnce = 1000

	var text []byte
	for i := first; i < first+n; i++ {
		text = append(text, numbered(os.Getenv("HUPWATCH_SERVICE"), os.Getenv("HUPWATCH_GENERATION"), i)...)
		text = append(text, '\n')
	}
	for chunk := range slices.Chunk(text, atOnce) {
		if _, err := os.Stdout.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}

// flood writes no more than the tests can look through.
func flood() error {
	const atOnce = 40

	got := catch(syscall.SIGTERM)
	say("flooding")
	n := 0
	for again := time.Tick(time.Millisecond); ; n += atOnce {
		if err := writeLines(n, atOnce); err != nil {
			return err
		}
		select {
		case <-again:
		case <-got:
			say("flooded " + strconv.Itoa(n+atOnce))
			return nil
		}
	}
}

func passGate(name string) error {
	if err := makeGate(name); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	_, err = io.ReadFull(f, make([]byte, 1))
	return err
}

// child starts a child and leaves it to itself: it may outlive its parent.
func child(script string) error {
	cmd := exec.Command(self(), script)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Start()
}

func become(args []string) error {
	os.Unsetenv(asService)
	os.Setenv(asHupwatch, "1")
	return syscall.Exec(self(), append([]string{self()}, args...), os.Environ())
}

func hang() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	_, _ = r.Read(make([]byte, 1))
	w.Close()
}

func TestScriptedServiceDoesWhatItsScriptSays(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "child say child up, serve; serve; gate g; exit 0"))
	d.says("child up", "web", 1)
	pid := d.up("web", 1)
	d.signal(syscall.SIGTERM)
	if got := d.says("got TERM", "web", 1); got != pid {
		t.Errorf("process %d got the TERM, want %d", got, pid)
	}
	d.open("g")
	if code := d.wait(); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
}
