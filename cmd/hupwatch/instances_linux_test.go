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

// several is a service of so many instances.
func several(n int, script string, keys ...string) string {
	return service("web", script, append(keys, fmt.Sprintf("instances = %d", n))...)
}

// instances waits until so many serve, and returns them.
func (d *daemon) instances(n int) []control.Instance {
	d.t.Helper()
	var all []control.Instance
	eventually(d.t, fmt.Sprintf("%d instances serve", n), func() bool {
		all = d.status("web").Instances
		return len(all) == n && !slices.ContainsFunc(all, func(in control.Instance) bool { return !alive(in.PID) })
	})
	for i, in := range all {
		if in.Instance != i {
			d.t.Errorf("instance %d is at %d", in.Instance, i)
		}
	}
	return all
}

func TestInstancesShareTheSocketsAndAreReloadedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	address := loopback()
	d := startDaemon(t, quick+several(3, "tell HUPWATCH_INSTANCE; listen 3; serve", fmt.Sprintf(`listen = ["tcp://%s"]`, address)))
	d.awaitAll(3, "msg=generation promoted")
	for instance := range 3 {
		d.sees(fmt.Sprintf("said=HUPWATCH_INSTANCE=%d", instance))
	}
	d.awaitAll(3, "said=serving")
	old := d.instances(3)
	met := make(map[string]bool)
	eventually(t, "all of them answer at the one address", func() bool {
		who, err := asksTCP(address)
		if err != nil {
			t.Fatal(err)
		}
		met[who] = true
		return met["web 1"] && met["web 2"] && met["web 3"]
	})
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "promoted=1")
	var lines [][]string
	for i, in := range d.instances(3) {
		if in.Generation != 4+i {
			t.Errorf("generation %d is instance %d", in.Generation, i)
		}
		lines = append(lines,
			[]string{"msg=generation started", fmt.Sprintf("generation=%d", in.Generation)},
			[]string{"msg=stop signal sent", fmt.Sprintf("generation=%d", old[i].Generation)})
	}
	d.order(lines...)
	for _, in := range old {
		d.says("got TERM", "web", in.Generation)
	}
}

func TestAFailureAtTheSecondInstanceIsPartial(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+several(3, "serve"))
	old := d.instances(3)
	d.configure(quick + several(3, "say new; serve", `ready = { exec = ["sh", "-c", "test $HUPWATCH_INSTANCE = 0"], interval = "50ms" }`, `start_timeout = "8s"`))
	d.asks(exitOther, "reload", "web").says(exitOther, "not ready within start_timeout (8s)")
	end := d.sees("msg=reload ended", "result=partial")
	if end["instance"] != "1" || end["generation"] != "5" {
		t.Errorf("it ended %v", end)
	}
	if now := d.instances(3); now[0].Generation != 4 || now[1].PID != old[1].PID || now[2].PID != old[2].PID {
		t.Errorf("%v serve, want the last two of %v", now, old)
	}
	if n := len(d.all("msg=generation started", "instance=2")); n != 1 {
		t.Errorf("instance 2 was started %d times, want 1", n)
	}
	// Each is started again with the release it had.
	kill(t, d.instances(3)[0].PID)
	kill(t, old[1].PID)
	d.awaitAll(2, "msg=restart")
	for _, in := range d.instances(3) {
		d.serving("web", in.Generation)
		isNew := len(d.all("said=new", "generation="+strconv.Itoa(in.Generation))) > 0
		if want := in.Instance == 0; isNew != want {
			t.Errorf("instance %d has the new release: %v, want %v", in.Instance, isNew, want)
		}
	}
}

func TestInstancesAreAddedAndTakenAwayByAReload(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+several(1, "serve"))
	d.instances(1)
	d.configure(quick + several(3, "serve"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=1", "promoted=1")
	three := d.instances(3)
	for _, in := range three {
		d.serving("web", in.Generation)
	}
	d.configure(quick + several(1, "serve"))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=2", "promoted=1")
	d.instances(1)
	for _, in := range three {
		d.goneAll(in.PID)
		d.says("got TERM", "web", in.Generation)
	}
	d.neverKilled()
	if s := d.status("web"); s.State != "running" || s.Restarts != 0 {
		t.Errorf("the status is %+v", s)
	}
}

func TestAnInstanceThatIsKilledIsStartedAgainAlone(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+several(3, "tell HUPWATCH_INSTANCE; serve"))
	before := d.instances(3)
	kill(t, before[1].PID)
	d.serving("web", 4)
	d.promoted("web", 4)
	after := d.instances(3)
	if after[0] != before[0] || after[2] != before[2] || after[1].Generation != 4 {
		t.Errorf("%v serve, before it was %v", after, before)
	}
	if e := d.sees("said=HUPWATCH_INSTANCE=1", "generation=4"); e.pid(t) != after[1].PID {
		t.Errorf("generation 4 is %v", e)
	}
	for _, in := range after {
		d.serving("web", in.Generation)
	}
	d.ends(syscall.SIGTERM, soon)
	if n := len(d.all("said=got TERM")); n != 3 {
		t.Errorf("%d got the TERM, want 3", n)
	}
}

func TestAReloadOfManyServicesGoesOnInTurns(t *testing.T) {
	t.Parallel()
	const many, inParallel = 200, 4
	var services strings.Builder
	for i := range many {
		services.WriteString(strings.Replace(idle(fmt.Sprintf("s%d", i)), `"0s"`, `"100ms"`, 1))
	}
	d := startDaemon(t, fmt.Sprintf("max_parallel = %d\n[defaults]\nprobation = 0\nstart_timeout = \"60s\"\n%s", inParallel, &services))
	d.awaitAll(many, "msg=generation promoted")
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", fmt.Sprintf("promoted=%d", many))
	under, most := 0, 0
	for _, e := range d.all("reload=1") {
		switch e["msg"] {
		case "reload begun":
			under++
		case "reload ended":
			under--
		}
		most = max(most, under)
	}
	if most != inParallel {
		t.Errorf("%d reloads were under way at a time, want %d", most, inParallel)
	}
	if n := len(d.awaitAll(many, "msg=generation exited")); n != many {
		t.Errorf("%d old generations ended", n)
	}
	if e := d.sees("msg=reload done"); len(e["not_reloaded"]) > 0 {
		t.Errorf("not reloaded: %s", e["not_reloaded"])
	}
}
