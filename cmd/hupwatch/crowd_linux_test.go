package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// cost is what hupwatch holds.
type cost struct{ descriptors, threads, pss int }

func (d *daemon) cost() cost {
	d.t.Helper()
	dir := fmt.Sprintf("/proc/%d/", d.cmd.Process.Pid)
	var c cost
	for pattern, n := range map[string]*int{"fd/*": &c.descriptors, "task/*": &c.threads} {
		found, err := filepath.Glob(dir + pattern)
		if err != nil {
			d.t.Fatal(err)
		}
		*n = len(found)
	}
	text, err := os.ReadFile(dir + "smaps_rollup")
	if err != nil {
		d.t.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "Pss:" {
			c.pss, _ = strconv.Atoi(words[1])
		}
	}
	return c
}

// stalled connects and leaves it at that: half a request, or none.
func (d *daemon) stalled(text string) net.Conn {
	d.t.Helper()
	c, err := net.Dial("unix", d.path("run", "control.sock"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	_, _ = io.WriteString(c, text) // turned away, if there were too many
	return c
}

func TestACrowdOfClientsHoldsUpNoReloadAndCostsNothingAfterwards(t *testing.T) {
	t.Parallel()
	const (
		clients, idle, reloads = 300, 100, 20
		most                   = 256 // connections that are let in
	)
	d := startDaemon(t, quick+service("web", "serve", "warmup = 0")+service("api", "serve"))
	d.up("web", 1)
	d.up("api", 1)
	client := d.client()
	for range 20 { // what hupwatch needs once it has talked to anybody
		d.status("web")
	}
	d.asks(exitDone, "reload", "web")
	before := d.cost()

	garbage := []string{"", "GET /v1/status HTTP/1.1\r\nHost:", "\x16\x03\x01\x02\x00\x01", "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", "\n\n\n", strings.Repeat("x", 64<<10)}
	var stalled []net.Conn
	for i := range idle {
		stalled = append(stalled, d.stalled(garbage[i%len(garbage)]))
	}
	var crowd sync.WaitGroup
	defer crowd.Wait()
	var mu sync.Mutex
	answers, refusals := 0, make(map[string]int)
	crowd.Go(func() {
		var all sync.WaitGroup
		defer all.Wait()
		for range clients {
			all.Go(func() {
				_, err := client.Status(t.Context(), true)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					refusals[err.Error()]++
					return
				}
				answers++
			})
		}
	})
	for range reloads {
		d.asks(exitDone, "reload", "web")
	}
	crowd.Wait()
	if answers < most-idle {
		t.Errorf("%d clients of %d were answered; the others: %v", answers, clients, refusals)
	}
	t.Logf("%d answers, %v", answers, refusals)
	if s := d.status("web"); s.Generation != 2+reloads || s.LastReload.Result != "promoted" {
		t.Errorf("web is %+v", s)
	}
	for _, c := range stalled { // hupwatch would do so after a while
		c.Close()
	}
	eventually(t, "the descriptors are as many as before", func() bool { return d.cost().descriptors <= before.descriptors })
	after := d.cost()
	t.Logf("before %+v, after %+v", before, after)
	if after.pss > 4*before.pss+20<<10 { // the race detector takes most of it, and gives nothing back
		t.Errorf("Pss is %d kB, and was %d kB", after.pss, before.pss)
	}
}
