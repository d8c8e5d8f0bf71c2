package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"hupwatch/examples/load"
)

// ownAddress is a gunicorn that opens its address itself.
func ownAddress(address string, options ...string) string {
	return fmt.Sprintf(`
[services.web]
command = ["gunicorn", "--workers", "%d", "--bind", %q, %s "wsgi:app"]
working_dir = "current"
warmup = "500ms"
`, webWorkers, address, strings.Join(options, ", "))
}

func TestAServerThatCannotOpenItsAddressTwiceIsKeptOldWithTheRemedy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.deploy(1, goodApp)
	address := loopback()
	d := startDaemonIn(t, s.dir, ownAddress(address))
	first := d.promoted("web", 1)
	s.awaitWorkers(d, webWorkers, 1)
	l := startLoad(t, "tcp", address)

	s.deploy(2, goodApp)
	d.signal(syscall.SIGHUP)
	end := d.await("msg=reload ended")
	if reason := end["err"]; end["result"] != "kept_old" || !strings.Contains(reason, "tcp "+address) || !strings.Contains(reason, "listen") {
		t.Errorf("reload ended %v, want it kept old and the remedy named", end)
	}
	if !alive(first) {
		t.Errorf("process %d does not live any more", first)
	}
	l.awaitRelease(1)
	l.stop()
}

func TestAServerThatSharesItsAddressIsPromotedOnceItListens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.deploy(1, goodApp)
	address := loopback()
	d := startDaemonIn(t, s.dir, ownAddress(address, `"--reuse-port",`))
	d.promoted("web", 1)
	s.awaitWorkers(d, webWorkers, 1)

	s.deploy(2, goodApp)
	d.signal(syscall.SIGHUP)
	d.promoted("web", 2)
	d.await("msg=generation exited", "generation=1")
	l := load.Start(t.Context(), load.Config{Network: "tcp", Address: address, Fresh: 1, Timeout: patience})
	siteLoad{l, t}.awaitRelease(2)
}
