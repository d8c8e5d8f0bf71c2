package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"hupwatch/runner/control"
)

// readiness is one way to be ready, and one not to be.
type readiness struct {
	name       string
	ready      string // the key, where DIR is the directory, PORT a port, SELF the tests' binary
	before     string // what is done before the gate
	after      string // and behind it, to be ready
	never      string // what a release does that never is
	lacks, why string // what is said of each
}

var readinesses = []readiness{
	{
		name: "http", ready: `{ http = "http://probe/health", unix = "DIR/http-${HUPWATCH_GENERATION}", headers = { X-Probe = "hupwatch", Host = "example.org" } }`,
		before: "demand Host nobody; listen DIR/http-${HUPWATCH_GENERATION}", after: "demand Host example.org",
		never: "answer 503 the database is away; listen DIR/http-${HUPWATCH_GENERATION}",
		lacks: `403 Forbidden: Host is "example.org"`, why: "503 Service Unavailable: the database is away",
	},
	{
		name: "tcp", ready: `{ tcp = "127.0.0.1:PORT" }`, after: "listen 127.0.0.1:PORT",
		lacks: "", why: "that answers, not this one; it does not listen there itself",
	},
	{
		name: "unix", ready: `{ unix = "DIR/unix-${HUPWATCH_GENERATION}" }`, after: "listen DIR/unix-${HUPWATCH_GENERATION}",
		lacks: "no such file or directory", why: "unix-3: no such file or directory",
	},
	{
		name: "exec", ready: `{ exec = ["sh", "-c", "echo checking $HUPWATCH_GENERATION >&2; kill -0 $HUPWATCH_PID && test -e exec-$HUPWATCH_GENERATION"], interval = "50ms" }`,
		after: "touch DIR/exec-${HUPWATCH_GENERATION}", lacks: "exited with status 1: checking", why: "exec sh: exited with status 1: checking 3",
	},
	{
		name: "notify", ready: `{ notify = true }`, before: `notify STATUS=loading the index`, after: `notify READY=1\nSTATUS=serving`,
		never: `notify STATUS=loading for ever`,
		lacks: "it has not said READY=1", why: "it has not said READY=1, but STATUS=loading for ever",
	},
	{
		name: "fd", ready: `{ fd = 7 }`, before: "write 7 half a line", after: `write 7 , and the rest\n`,
		never: "write 7 no line", lacks: "it has not written a line to descriptor 7", why: "it has not written a line to descriptor 7",
	},
}

// section is the service, with one more key, and a script of the statements.
func (r readiness) section(dir string, port int, key string, statements ...string) string {
	statements = slices.DeleteFunc(statements, func(s string) bool { return s == "" })
	text := service(r.name, strings.Join(statements, "; "), "ready = "+r.ready, `working_dir = "DIR"`, key)
	return strings.NewReplacer("DIR", dir, "PORT", strconv.Itoa(port)).Replace(text)
}

func TestEveryKindOfReadinessIsWaitedForAndItsLackKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	const defaults = "max_parallel = 10\n" + quick
	dir, port := shortDir(t), freePort(t)
	gated, never := defaults, defaults
	for _, r := range readinesses {
		gated += r.section(dir, port, "", r.before, "say gated", "gate "+r.name, r.after, "serve")
		never += r.section(dir, port, `start_timeout = "8s"`, r.never, "serve")
	}
	d := startDaemonIn(t, dir, gated)
	for generation := 1; generation <= 2; generation++ {
		for _, r := range readinesses {
			d.says("gated", r.name, generation)
			d.lacks(r.name, r.lacks)
			if n := len(d.all("msg=generation ready", "service="+r.name)); n != generation-1 {
				t.Errorf("%s: %d generations were ready before they were", r.name, n)
			}
			d.open(r.name)
			d.up(r.name, generation)
			d.order(
				[]string{"said=gated", "service=" + r.name, "generation=" + strconv.Itoa(generation)},
				[]string{"msg=generation ready", "service=" + r.name, "generation=" + strconv.Itoa(generation)},
				[]string{"msg=generation promoted", "service=" + r.name, "generation=" + strconv.Itoa(generation)},
			)
		}
		if generation == 1 {
			d.signal(syscall.SIGHUP)
		}
	}
	d.sees("msg=reload done", "reload=1", "promoted=6")

	d.configure(never)
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=2", "kept_old=6")
	for _, r := range readinesses {
		ended := d.sees("msg=reload ended", "service="+r.name, "reload=2")
		s := d.status(r.name)
		for where, got := range map[string]string{"log": ended["err"], "status": s.LastReload.Error} {
			if !strings.Contains(got, r.why) || !strings.Contains(got, "not ready within start_timeout (8s)") {
				t.Errorf("%s: the reason in the %s is %q, want %q in it", r.name, where, got, r.why)
			}
		}
		if s.State != "running" || s.Generation != 2 || len(d.all("msg=stop signal sent", "service="+r.name, "generation=2")) > 0 {
			t.Errorf("%s: the old one is not what it was: %+v", r.name, s)
		}
	}
}

// lacks waits until the status tells that the incoming generation is not ready, and
// why.
func (d *daemon) lacks(name, why string) {
	d.t.Helper()
	eventually(d.t, fmt.Sprintf("%s lacks %q", name, why), func() bool {
		in := d.status(name).Incoming
		return len(in) == 1 && in[0].Phase == "proving" && strings.Contains(in[0].Why, why)
	})
}

// keepsOld reloads, and returns the reason why the old one of the service was kept.
func (d *daemon) keepsOld(name, reload string) string {
	d.t.Helper()
	d.signal(syscall.SIGHUP)
	return d.sees("msg=reload ended", "service="+name, "reload="+reload, "result=kept_old")["err"]
}

func TestAnAnswerOfTheOldGenerationAloneIsNotBelieved(t *testing.T) {
	t.Parallel()
	port := strconv.Itoa(freePort(t))
	config := func(script, keys string) string {
		return quick + service("web", script, `ready = { http = "http://127.0.0.1:`+port+`/" }`, keys)
	}
	d := startDaemon(t, config("listen 127.0.0.1:"+port+"; serve", ""))
	d.up("web", 1)
	d.configure(config("serve", `start_timeout = "8s"`))
	wants(t, d.keepsOld("web", "1"), "http://127.0.0.1:"+port, "it is generation 1 (pid ", "that answers, not this one: 200 OK", "does not listen there itself")
	d.configure(config("listen 127.0.0.1:"+port+"; serve", ""))
	d.signal(syscall.SIGHUP) // the same address, and it listens there
	d.sees("msg=reload ended", "service=web", "reload=2", "result=promoted")
}

func TestWhatIsNotReadyAnyMoreAtTheEndOfItsWarmUpIsKeptOut(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, shortDir(t))
	ready := fmt.Sprintf("ready = { http = \"http://web/\", unix = %q }", d.path("web-${HUPWATCH_GENERATION}"))
	listen := "listen " + d.path("web-${HUPWATCH_GENERATION}") + "; "
	d.configure(quick + service("web", listen+"serve", ready))
	d.start()
	d.up("web", 1)
	d.configure(quick + service("web", listen+"gate turn; answer 500 broken by now; say turned; serve", ready, `warmup = "8s"`))
	d.signal(syscall.SIGHUP)
	d.sees("msg=generation ready", "generation=2")
	d.open("turn")
	ended := d.sees("msg=reload ended", "result=kept_old")
	wants(t, ended["err"], "not ready any more at the end of its warm-up", "500", "broken by now")
	answers(t, d.path("web-1"), "web 1")
}

func TestExecProbesHaveTheGenerationInTheirEnvironment(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	publish := fmt.Sprintf("publish = %q", dir+"/web")
	ready := fmt.Sprintf(`ready = { exec = [%q, "-c", "env > probe-$HUPWATCH_GENERATION; test -S $HUPWATCH_BIND"] }`, "sh")
	d := startDaemonIn(t, dir, quick+service("web", "listen ${HUPWATCH_BIND}; serve", publish, ready))
	for generation := 1; generation <= 2; generation++ {
		pid := d.up("web", generation)
		env := "\n" + d.read(fmt.Sprintf("probe-%d", generation))
		wants(t, env,
			fmt.Sprintf("\nHUPWATCH_PID=%d\n", pid), fmt.Sprintf("\nHUPWATCH_GENERATION=%d\n", generation), "\nHUPWATCH_SERVICE=web\n",
			fmt.Sprintf("\nHUPWATCH_BIND=%s/web.d/%d.sock\n", dir, generation), "\nHUPWATCH_INSTANCE=0\n")
		d.signal(syscall.SIGHUP)
	}
}

// hangingProbe is the key for a probe that hangs, and hears no TERM.
func hangingProbe(timeout string) string {
	return fmt.Sprintf(`ready = { exec = [%q, "ignore TERM; child ignore TERM, say probing, hang; say probing; hang"], timeout = %q, interval = "10ms" }`, player(), timeout)
}

func TestAnExecProbeThatHangsIsKilledAndDoesNotOutliveHupwatch(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + quiet(d, "late", "serve", hangingProbe("500ms")) + quiet(d, "hung", "serve", hangingProbe("1h")))
	d.start()
	first := said.awaitAll(2, "said=probing", "service=late")[:2]
	d.lacks("late", "did not end within 500ms")
	for _, e := range first {
		d.goneAll(e.pid(t))
	}
	said.awaitAll(2, "said=probing", "service=hung")
	d.ends(syscall.SIGTERM, soon)
	for _, e := range said.all("said=probing") {
		d.goneAll(e.pid(t)) // what got KILL may take a moment to go
	}
}

func TestAnExecProbeEndsWithTheGenerationItIsAbout(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, t.TempDir())
	said := d.said()
	d.configure(quick + quiet(d, "web", "serve"))
	d.start()
	d.promoted("web", 1)
	d.configure(quick + quiet(d, "web", "gate end; exit 1", hangingProbe("1h")))
	d.signal(syscall.SIGHUP)
	probes := said.awaitAll(2, "said=probing", "generation=2")
	d.open("end")
	d.sees("msg=reload ended", "result=kept_old")
	for _, e := range probes {
		d.goneAll(e.pid(t))
	}
}

func TestAChildMaySpeakForAServiceAndTakeItsSignals(t *testing.T) {
	t.Parallel()
	worker := `child notify READY=1\nMAINPID=SELF\nSTATUS=the worker serves, say worker, await TERM, say worker done`
	d := startDaemonIn(t, shortDir(t), quick+service("web", worker+"; ignore TERM; gate main; exit 0", "ready = { notify = true }"))
	child := d.says("worker", "web", 1)
	main := d.promoted("web", 1)
	if child == main {
		t.Fatal("there is no child")
	}
	d.signal(syscall.SIGHUP)
	d.promoted("web", 2)
	if got := d.says("worker done", "web", 1); got != child {
		t.Errorf("process %d got the stop signal, want %d", got, child)
	}
	d.openFor(2, "main")
	d.sees("msg=generation exited", "generation=1", "exit=exited with status 0")
	d.neverKilled()
}

func TestWhatAGenerationSaysItDoesIsShownUntilItIsReady(t *testing.T) {
	t.Parallel()
	d := startDaemonIn(t, shortDir(t), quick+service("web", `notify STATUS=reading 3 of 7; say read; gate more; notify READY=1; serve`, "ready = { notify = true }"))
	d.says("read", "web", 1)
	var in control.Incoming
	eventually(t, "the status tells what it does", func() bool {
		s := d.status("web")
		if len(s.Incoming) == 1 {
			in = s.Incoming[0]
		}
		return in.Status == "reading 3 of 7"
	})
	if in.Phase != "proving" || in.Why != "it has not said READY=1" {
		t.Errorf("incoming is %+v", in)
	}
	d.asks(exitUnknown, "status").says(exitUnknown, "reading 3 of 7")
	d.open("more")
	d.up("web", 1)
}

func TestAReadyDescriptorThatIsClosedWithoutALineIsToldAtOnce(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", `write 5 \n; serve`, "ready = { fd = 5 }"))
	d.up("web", 1)
	d.configure(quick + service("web", "write 5 no newline; close 5; serve", "ready = { fd = 5 }", `start_timeout = "1h"`))
	wants(t, d.keepsOld("web", "1"), "closed descriptor 5 without a line")
	d.configure(quick + service("web", "write 5 no newline; exit 7", "ready = { fd = 5 }", `start_timeout = "1h"`))
	wants(t, d.keepsOld("web", "2"), "exited with status 7")
}

func TestAServiceThatPestersDelaysNoOther(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	notify := "ready = { notify = true }"
	other := service("other", `notify READY=1; serve`, notify)
	pests := service("pest", "child pester; say pestering; pester", notify) +
		service("slow", "dribble "+dir+"/slow; say dribbling; serve", fmt.Sprintf(`ready = { http = "http://slow/", unix = %q, interval = "10ms" }`, dir+"/slow")) +
		service("halves", "write 9 half; say half; hang", "ready = { fd = 9 }")
	d := startDaemonIn(t, dir, quick+other+pests)
	d.says("pestering", "pest", 1)
	d.says("dribbling", "slow", 1)
	d.says("half", "halves", 1)
	d.up("other", 1)
	d.lacks("pest", "it has not said READY=1")
	before := d.status("pest").Incoming[0].Status
	for reload := 1; reload <= 5; reload++ {
		d.name("other\n")
		d.sees("msg=reload done", fmt.Sprintf("reload=%d", reload), "promoted=1")
	}
	for _, name := range []string{"pest", "slow", "halves"} {
		if s := d.status(name); s.State != "starting" || len(s.Incoming) != 1 || s.Incoming[0].Phase != "proving" {
			t.Errorf("%s does not go on as it did: %+v", name, s)
		}
	}
	if d.status("pest").Incoming[0].Status == before {
		t.Errorf("it did not go on pestering after STATUS=%s", before)
	}
	d.ends(syscall.SIGTERM, soon)
}
