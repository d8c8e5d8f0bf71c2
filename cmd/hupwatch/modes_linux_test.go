package main

import (
	"fmt"
	"syscall"
	"testing"
)

const stopFirst = `reload = "stop-first"`

func TestStopFirstNeverHasTwoAndRollsBackToWhatServed(t *testing.T) {
	t.Parallel()
	address := loopback()
	serving := "listen " + address + "; serve; gate leave; exit 0"
	d := startDaemon(t, quick+service("web", serving, stopFirst))
	d.up("web", 1)
	d.signal(syscall.SIGHUP)
	d.says("got TERM", "web", 1)
	if s := d.status("web"); s.Generation != 0 || len(s.Incoming) != 1 || s.Incoming[0].Phase != "waiting" {
		t.Errorf("while the old one goes the status is %+v", s)
	}
	d.open("leave")
	d.sees("msg=reload ended", "reload=1", "result=promoted")
	d.serving("web", 2)
	d.order([]string{"msg=generation exited", "generation=1"}, []string{"msg=generation started", "generation=2"})
	if who, err := asksTCP(address); who != "web 2" {
		t.Errorf("%q answers, %v", who, err)
	}

	d.configure(quick + service("web", `print no database\n; exit 6`, stopFirst, failing))
	client := d.command("reload").begin()
	d.says("got TERM", "web", 2)
	d.open("leave")
	client.says(exitOther, "rolled back", "exited with status 6", "| no database")
	d.serving("web", 4)
	if who, err := asksTCP(address); who != "web 4" {
		t.Errorf("%q answers, %v", who, err)
	}
	if s := d.status("web"); s.State != "running" || s.Generation != 4 || s.LastReload.Result != "rolled_back" {
		t.Errorf("the status is %+v", s)
	}
	d.openFor(2, "leave")
}

func TestStopFirstTouchesNothingWhereTheNewReleaseCannotBeMade(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve", stopFirst))
	pid := d.up("web", 1)
	d.configure(quick + service("web", "serve", stopFirst, `working_dir = "gone"`))
	wants(t, d.keepsOld("web", "1"), "working_dir")
	d.configure(quick + service("web", "serve", stopFirst, hook("before_start", "exit 2")))
	wants(t, d.keepsOld("web", "2"), "before_start: exited with status 2")
	if s := d.status("web"); s.PID != pid || len(d.all("msg=stop signal sent")) > 0 {
		t.Errorf("the old one is not what it was: %+v", s)
	}
}

func TestAProgramThatReloadsItselfIsOnlySignalled(t *testing.T) {
	t.Parallel()
	const signal = `reload = "signal"`
	d := startDaemon(t, quick+service("web", "record; serve", signal))
	pid := d.up("web", 1)
	d.asks(exitDone, "reload").says(exitDone, "1 signalled")
	d.says("got HUP", "web", 1)
	d.configure(quick + service("web", "record; serve", signal, `reload_signal = "USR2"`))
	d.asks(exitDone, "reload").says(exitDone, "1 signalled")
	if d.says("got USR2", "web", 1); d.status("web").PID != pid {
		t.Errorf("another process serves")
	}
	if n := len(d.all("msg=generation started")); n != 1 {
		t.Errorf("%d generations were started, want 1", n)
	}
}

func TestAProgramThatDiesOfItsReloadIsTheReasonAndStartedAgain(t *testing.T) {
	t.Parallel()
	const signal = `reload = "signal"`
	d := startDaemon(t, quick+service("web", "await HUP; exit 3", signal, `warmup = "8s"`))
	d.says("awaiting HUP", "web", 1)
	d.promoted("web", 1)
	d.asks(exitDown, "reload").says(exitDown, "exited with status 3 after HUP")
	wants(t, d.sees("msg=reload ended", "result=failed")["err"], "exited with status 3 after HUP")
	d.order([]string{"msg=reload ended"}, []string{"msg=restart"})
	eventually(t, "it serves again", func() bool { return d.status("web").State == "running" })
	if s := d.status("web"); s.Restarts != 1 {
		t.Errorf("the status is %+v", s)
	}
}

func TestAProgramThatIsNotReadyAfterItsReloadIsToldOf(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+service("web", "listen "+dir+"/web; say open; gate turn; answer 503 cannot read its file; say turned; await HUP; serve", `reload = "signal"`,
		fmt.Sprintf(`ready = { http = "http://web/", unix = %q }`, dir+"/web")))
	pid := d.promoted("web", 1)
	d.open("turn") // before HUP: who asks at once would still meet what it answered before
	d.says("awaiting HUP", "web", 1)
	d.signal(syscall.SIGHUP)
	wants(t, d.sees("msg=reload ended", "result=failed")["err"], "after HUP it was not ready", "503", "cannot read its file")
	if s := d.status("web"); s.PID != pid || s.State != "running" {
		t.Errorf("the status is %+v", s)
	}
}

func TestServerStarterIsToldWhichDescriptorIsWhich(t *testing.T) {
	t.Parallel()
	address := loopback()
	dir := shortDir(t)
	d := startDaemonIn(t, dir, quick+service("web", "tell SERVER_STARTER_PORT; tell SERVER_STARTER_GENERATION; listen 4; serve", `compat = ["server-starter"]`,
		fmt.Sprintf(`listen = ["tcp://%s", "unix://%s/web"]`, address, dir)))
	d.up("web", 1)
	d.sees(fmt.Sprintf("said=SERVER_STARTER_PORT=%s=3;%s/web=4", address, dir))
	d.sees("said=SERVER_STARTER_GENERATION=1")
	answers(t, dir+"/web", "web 1")
	d.signal(syscall.SIGHUP)
	d.sees("said=SERVER_STARTER_GENERATION=2", "generation=2")
}
