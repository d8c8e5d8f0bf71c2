package main

import (
	"syscall"
	"testing"
)

func TestAServiceWaitsForTheReadinessOfThoseItDependsOn(t *testing.T) {
	t.Parallel()
	d := startDaemonIn(t, shortDir(t), quick+
		service("app", "serve", `depends_on = ["cache", "db"]`)+
		service("cache", "serve")+
		service("db", `gate warm; notify READY=1; serve`, "ready = { notify = true }"))
	d.up("cache", 1)
	eventually(t, "app waits for db alone", func() bool {
		s := d.status("app")
		return s.State == "waiting" && len(s.Awaits) == 1 && s.Awaits[0] == "db"
	})
	d.asks(exitUnknown, "status").says(exitUnknown, "waiting", "db")
	if n := len(d.all("msg=generation started", "service=app")); n != 0 {
		t.Errorf("app was started %d times before db was ready", n)
	}
	d.open("warm")
	d.up("app", 1)
	d.order(
		[]string{"msg=waiting for others", "service=app"},
		[]string{"msg=generation promoted", "service=db"},
		[]string{"msg=generation started", "service=app"},
	)

	d.signal(syscall.SIGHUP) // takes no notice of the order: db waits at its gate again
	d.promoted("app", 2)
	if s := d.status("db"); s.Generation != 1 {
		t.Errorf("db is %+v", s)
	}
	d.open("warm")
	d.sees("msg=reload done", "promoted=3")
	d.ends(syscall.SIGTERM, soon)
}

// A deploy script that waits for ever is no answer.
func TestRequestForWhatDependsOnAFailedServiceIsAnswered(t *testing.T) {
	t.Parallel()
	file := func(db, warmup string) string {
		return quick + service("db", db, `restart = "no"`, warmup) + service("cache", "serve", `depends_on = ["db"]`) + service("app", "serve", `depends_on = ["cache"]`)
	}
	d := startDaemonIn(t, shortDir(t), file("exit 1", failing))
	d.sees("msg=given up", "service=db")
	d.asks(exitDown, "reload", "app").says(exitDown, "app", "failed", "what it depends on failed: cache")
	d.asks(exitOther, "restart", "cache").says(exitOther, "what it depends on failed: db")
	d.asks(exitOther, "start", "app").says(exitOther, "what it depends on failed: cache; it is started once that is ready")

	d.configure(file("serve", ""))
	d.asks(exitDone, "reload") // which mends it: the others wait for that
	d.promoted("cache", 1)
	d.promoted("app", 1)
	d.asks(exitDone, "status")
}

// chain is three services, each of which depends on the next one and waits at a gate
// before it ends.
func chain() string {
	const script = "serve; say leaving; gate leave; exit 0"
	return service("app", script, `depends_on = ["cache"]`) +
		service("cache", script, `depends_on = ["db"]`) +
		service("db", script)
}

// endsInOrder lets the chain end, and fails the test unless each was told to stop
// only after those that depend on it had gone.
func (d *daemon) endsInOrder() {
	d.t.Helper()
	names := []string{"app", "cache", "db"}
	for i, name := range names {
		d.says("leaving", name, 1)
		for _, later := range names[i+1:] {
			if n := len(d.all("msg=stop signal sent", "service="+later)); n > 0 {
				d.t.Errorf("%s was told to stop before %s had gone", later, name)
			}
		}
		d.open("leave")
		d.sees("msg=generation exited", "service="+name)
	}
}

func TestServicesStopAfterThoseThatDependOnThem(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*daemon) func(){
		"at TERM": func(d *daemon) func() {
			d.signal(syscall.SIGTERM)
			return func() { d.ended(exitDone) }
		},
		"at hupwatch stop all": func(d *daemon) func() {
			c := d.command("stop", "all").begin()
			return func() { c.says(exitDone) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDaemon(t, quick+chain())
			for _, name := range []string{"app", "cache", "db"} {
				d.up(name, 1)
			}
			end := stop(d)
			d.endsInOrder()
			end()
			d.neverKilled()
		})
	}
}

func TestWhatIsDoneOnceLetsStartWhatDependsOnIt(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+
		service("app", "serve", `depends_on = ["migrate"]`)+
		service("migrate", "gate done; exit 0", `restart = "no"`, `warmup = 0`)+
		service("never", "serve", `depends_on = ["broken"]`)+
		service("broken", "exit 1", `restart = "no"`, failing))
	d.sees("msg=generation started", "service=migrate")
	d.open("done")
	d.up("app", 1)
	d.sees("msg=given up", "service=broken")
	if s := d.status("never"); s.State != "waiting" || len(s.Awaits) != 1 || s.Awaits[0] != "broken" {
		t.Errorf("what depends on a service that failed is %+v", s)
	}
	d.ends(syscall.SIGTERM, soon)
	if n := len(d.all("msg=generation started", "service=never")); n != 0 {
		t.Errorf("it was started")
	}
}

func TestAHangupAddsAServiceAndWhatItDependsOnInOrder(t *testing.T) {
	t.Parallel()
	before := quick + service("web", "serve")
	d := startDaemonIn(t, shortDir(t), before)
	d.up("web", 1)
	d.configure(before +
		service("app", "serve", `depends_on = ["db"]`) +
		service("db", `gate warm; notify READY=1; serve`, "ready = { notify = true }"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload ended", "service=web", "result=promoted")
	eventually(t, "app waits", func() bool { return d.status("app").State == "waiting" })
	d.open("warm")
	d.sees("msg=reload done", "reload=1", "promoted=1", "started=2")
	d.order(
		[]string{"msg=generation promoted", "service=db"},
		[]string{"msg=generation started", "service=app"},
	)
}
