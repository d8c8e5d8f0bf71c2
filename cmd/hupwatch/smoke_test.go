package main

import (
	"syscall"
	"testing"
)

func TestHangupStartsTheNewOneBeforeItStopsTheOld(t *testing.T) {
	d := startDaemon(t, `
[services.web]
command = ["sleep", "1000"]
warmup = "100ms"
`)
	first := d.await("msg=generation promoted", "service=web").pid(t)
	d.signal(syscall.SIGHUP)
	second := d.await("msg=generation promoted", "generation=2").pid(t)
	stopped := d.await("msg=stop signal sent")
	if stopped.pid(t) != first || first == second {
		t.Errorf("process %d was told to stop, want %d; the new one is %d", stopped.pid(t), first, second)
	}
	d.await("msg=generation exited", "generation=1")
	d.signal(syscall.SIGTERM)
	if code := d.wait(); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
	if alive(second) {
		t.Errorf("process %d outlives hupwatch", second)
	}
}
