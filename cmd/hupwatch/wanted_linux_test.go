package main

import "testing"

func TestWhatWasStoppedStaysDownAfterACrashOfHupwatch(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve")+service("other", "serve"))
	d.up("web", 1)
	d.up("other", 1)
	d.asks(exitDone, "stop", "web")
	endings["KILL"](d)

	next := d.again()
	next.up("other", 1)
	if s := next.status("web"); s.Wanted != "down" || s.State != "stopped" {
		t.Errorf("web is %s, wanted %s", s.State, s.Wanted)
	}
	next.asks(exitDone, "reload") // leaves it down
	next.asks(exitUnknown, "reload", "web")
	if n := len(next.all("msg=generation started", "service=web")); n > 0 {
		t.Errorf("it was started %d times", n)
	}
	next.asks(exitDone, "status") // it is not wanted up
	endings["TERM"](next)

	last := d.again() // nobody remembers: autostart decides
	last.up("web", 1)
}

func TestWhatWasStartedComesUpAfterACrashOfHupwatch(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", "autostart = false")+service("other", "serve"))
	d.up("other", 1)
	if s := d.status("web"); s.Wanted != "down" || s.State != "stopped" {
		t.Errorf("web is %s, wanted %s", s.State, s.Wanted)
	}
	d.asks(exitDone, "start", "web")
	d.up("web", 1)
	endings["KILL"](d)

	next := d.again()
	next.up("web", 1)
	endings["TERM"](next)

	last := d.again() // nobody remembers: autostart decides
	last.up("other", 1)
	if s := last.status("web"); s.Wanted != "down" || s.State != "stopped" {
		t.Errorf("web is %s, wanted %s", s.State, s.Wanted)
	}
}
