package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logfmt/logfmt"
)

// patience is how long whatever must come may take.
const patience = 90 * time.Second

// daemon is a hupwatch that runs a recipe.
type daemon struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended and all it wrote is read

	mu    sync.Mutex // guards what follows
	said  []string   // all of its output, and that of its services
	grown chan struct{}
}

// event is a line of hupwatch's log.
type event map[string]string

// at is when it was written.
func (e event) at() (time.Time, error) { return time.Parse(time.RFC3339Nano, e["ts"]) }

func (e event) has(pairs []string) bool {
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		if e[key] != value {
			return false
		}
	}
	return true
}

// startDaemon starts hupwatch in the directory of the recipe.
func (m *matrix) startDaemon(at *site) (*daemon, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	d := &daemon{
		cmd:    exec.Command(filepath.Join(m.bin, "hupwatch"), "-c", at.file()),
		exited: make(chan struct{}),
		grown:  make(chan struct{}),
	}
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = at.dir, w, w
	// A ^C is for this program, which then stops hupwatch.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = d.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go d.read(r)
	return d, nil
}

// read collects what hupwatch writes until it ends.
func (d *daemon) read(r io.ReadCloser) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		d.mu.Lock()
		if line != "" {
			d.said = append(d.said, strings.TrimSuffix(line, "\n"))
		}
		close(d.grown)
		d.grown = make(chan struct{})
		d.mu.Unlock()
		if err != nil {
			break
		}
	}
	r.Close()
	_ = d.cmd.Wait() // its code is in ProcessState
	close(d.exited)
}

// await returns the first event, from that line of the output on, that has all
// these pairs.
func (d *daemon) await(ctx context.Context, from int, pairs ...string) (event, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no %q within %s", pairs, patience))
	defer cancel()
	for {
		d.mu.Lock()
		for ; from < len(d.said); from++ {
			if e := parse(d.said[from]); e.has(pairs) {
				d.mu.Unlock()
				return e, nil
			}
		}
		grown := d.grown
		d.mu.Unlock()
		select {
		case <-grown:
		case <-d.exited:
			return nil, fmt.Errorf("hupwatch ended without %q", pairs)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// find returns the first event so far, from that line of the output on, that has all
// these pairs.
func (d *daemon) find(from int, pairs ...string) (e event, found bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range d.said[from:] {
		if e := parse(line); e.has(pairs) {
			return e, true
		}
	}
	return nil, false
}

// lines is how many lines there are by now.
func (d *daemon) lines() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.said)
}

// tail is the last lines it wrote.
func (d *daemon) tail() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.said[max(0, len(d.said)-40):], "\n")
}

func (d *daemon) hup() error { return d.cmd.Process.Signal(syscall.SIGHUP) }

// stop has hupwatch stop everything and end.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-d.exited:
	case <-time.After(patience):
		_ = d.cmd.Process.Signal(syscall.SIGINT) // twice: kill what is left
		_ = d.cmd.Process.Signal(syscall.SIGINT)
		<-d.exited
		return fmt.Errorf("hupwatch did not end within %s of a TERM", patience)
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("hupwatch ended with %d after a TERM", code)
	}
	return nil
}

// parse reads a line of the log; a line of a service is an event without pairs.
func parse(line string) event {
	e := make(event)
	if !strings.HasPrefix(line, "ts=") {
		return e
	}
	decoder := logfmt.NewDecoder(strings.NewReader(line))
	for decoder.ScanRecord() {
		for decoder.ScanKeyval() {
			e[string(decoder.Key())] = string(decoder.Value())
		}
	}
	return e
}
