package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOneServiceWithARuntimeDirAnswersClients(t *testing.T) {
	t.Parallel()
	d := startOne(t, "serve", "-v", "-w", "0.05", "--runtime-dir", "run")
	d.up("web", 1)
	d.asks(exitDone, "status").says(exitDone, "web", "running")
	d.asks(exitDone, "reload").says(exitDone, "web: generation 2 serves", "1 promoted")
	if err := os.Remove(d.path("web")); err != nil {
		t.Fatal(err)
	}
	d.asks(exitOther, "reload", "web").says(exitOther, "web: kept old: ", "no such file")
	if s := d.status("web"); s.Generation != 2 || s.LastReload.Result != "kept_old" {
		t.Errorf("web is %+v", s)
	}
	d.signal(syscall.SIGINT)
	d.ended(exitDone)
	if _, err := os.Lstat(d.path("run", "control.sock")); err == nil {
		t.Errorf("the socket is left")
	}
}

func TestOneServiceWithoutARuntimeDirMakesNoSocket(t *testing.T) {
	t.Parallel()
	d := startOne(t, "serve", brisk...)
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "web" && e.Name() != "script" {
			t.Errorf("there is %s", e.Name())
		}
	}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:") {
			t.Errorf("hupwatch has a %s", to)
		}
	}
	d.ends(syscall.SIGINT, soon)
}
