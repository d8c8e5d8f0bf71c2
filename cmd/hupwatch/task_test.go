package main

import (
	"fmt"
	"syscall"
	"testing"
)

// How long a task takes is not known: ten of them ended before the warm-up was over, and
// were called failed, or were run again and again.
func TestTaskIsDoneHoweverSoonItEnds(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]string{
		"restart = on-failure":        {`restart = "on-failure"`, failing},
		"restart = no":                {`restart = "no"`, failing},
		"warmup = 0":                  {`restart = "on-failure"`, "warmup = 0"},
		"warmup = 0 and restart = no": {`restart = "no"`, "warmup = 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tasks = 10
			config := quick + service("app", "serve", `depends_on = ["t0", "t9"]`)
			for i := range tasks {
				config += service(fmt.Sprintf("t%d", i), "exit 0", keys...)
			}
			d := startDaemon(t, config)
			d.up("app", 1)
			d.awaitAll(tasks, "msg=generation done", "level=info")
			wants(t, d.asks(exitDone, "status").stdout.String(), "done", "exited with status 0")
			d.asks(exitDone, "status", "t0")
			if out := d.asks(exitDone, "why").stdout.String(); out == "" {
				t.Error("why says nothing")
			}
			for i := range tasks {
				if s := d.status(fmt.Sprintf("t%d", i)); s.State != "done" || s.Restarts != 0 {
					t.Errorf("%s is %s, restarted %d times", s.Name, s.State, s.Restarts)
				}
			}

			// Nothing is new for what is done; a reload of all runs it once more.
			wants(t, d.asks(exitDone, "reload", "--changed").stdout.String(), "t0", "skipped")
			d.asks(exitDone, "reload", "t0", "--no-drain")
			d.sees("msg=reload ended", "service=t0", "result=started")
			d.sees("msg=generation done", "service=t0", "generation=2")
			if s := d.status("t0"); s.State != "done" {
				t.Errorf("once more run it is %s", s.State)
			}
			d.ends(syscall.SIGTERM, soon)
			if n := len(d.all("msg=generation started")); n != tasks+2 {
				t.Errorf("%d generations were started, want %d", n, tasks+2)
			}
		})
	}
}

func TestTaskThatFailsIsToldOf(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("task", "gate fail; exit 3", `restart = "no"`, "warmup = 0"))
	d.promoted("task", 1)
	d.open("fail")
	d.sees("msg=given up", "service=task")
	d.asks(exitUnknown, "status")
	wants(t, d.asks(exitUnknown, "why").stdout.String(), "exited with status 3", "hupwatch reload task")
}
