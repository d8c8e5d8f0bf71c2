package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"hupwatch/runner/control"
)

// client returns a client of the daemon, as soon as that can be asked.
func (d *daemon) client() *control.Client {
	d.t.Helper()
	socket := d.path("run", "control.sock")
	eventually(d.t, "the control socket is there", func() bool {
		_, err := os.Lstat(socket)
		return err == nil
	})
	return control.NewClient(socket)
}

// status returns how a service is.
func (d *daemon) status(name string) control.Service {
	d.t.Helper()
	s, err := d.client().Service(d.t.Context(), name, false)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// reloaded returns what is known of a request.
func (d *daemon) reloaded(id uint64) control.Reload {
	d.t.Helper()
	r, err := d.client().ReloadByID(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// command is one of the commands of a program that asks this daemon.
type command struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	ended          chan struct{}
}

// command returns one that has not begun.
func (d *daemon) command(args ...string) *command {
	d.t.Helper()
	d.client()
	c := &command{t: d.t, cmd: client(append(args, "--socket", d.path("run", "control.sock"))...), ended: make(chan struct{})}
	c.cmd.Dir = d.dir
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, &c.stderr
	return c
}

// begin starts it.
func (c *command) begin() *command {
	c.t.Helper()
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() { // ends with the command, at the latest with the test
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	c.t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.ended
	})
	return c
}

// wait waits for its end and returns its exit code.
func (c *command) wait() int {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-c.t.Context().Done():
		c.t.Fatalf("%q does not end; so far:\n%s", c.cmd.Args[1:], c.stdout.String())
	}
	return exitCode(c.cmd.ProcessState)
}

// says fails the test unless it ended with this code and printed all of this.
func (c *command) says(code int, words ...string) {
	c.t.Helper()
	got := c.wait()
	all := c.stdout.String() + c.stderr.String()
	if got != code {
		c.t.Errorf("%q: exit code %d, want %d:\n%s", c.cmd.Args[1:], got, code, all)
	}
	for _, want := range words {
		if !strings.Contains(all, want) {
			c.t.Errorf("%q: %q is not in\n%s", c.cmd.Args[1:], want, all)
		}
	}
}

// asks runs a command, and fails the test unless it ends with this code.
func (d *daemon) asks(code int, args ...string) *command {
	d.t.Helper()
	c := d.command(args...).begin()
	c.says(code)
	return c
}

// wants fails the test unless all these words are in a text.
func wants(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not in %q", word, text)
		}
	}
}

func TestCommandWhoseOutputCannotBeWrittenFails(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	d := startDaemonIn(t, shortDir(t), quick+service("web", "serve"))
	d.up("web", 1)
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"plan"}, {"logs"}, {"why", "web"}, {"reload", "web"}} {
		c := d.command(args...)
		c.cmd.Stdout = full
		c.begin().says(exitOther, "standard output", "no space left on device")
	}
}
