package main

import (
	"strings"
	"syscall"
	"testing"
)

func TestAReleaseThatDiesRightAfterItsPromotionIsRolledBack(t *testing.T) {
	t.Parallel()
	onProbation := strings.Replace(quick, "probation = 0", `probation = "1h"`, 1)
	d := startDaemon(t, onProbation+service("web", "serve"))
	d.up("web", 1)
	d.configure(onProbation + service("web", "gate bad; exit 3"))
	d.signal(syscall.SIGHUP)
	d.promoted("web", 2)
	d.sees("msg=reload ended", "result=promoted")
	d.open("bad")
	back := d.await("msg=rolled back", "service=web", "generation=2")
	if back["exit"] != "exited with status 3" {
		t.Errorf("rolled back for %q", back["exit"])
	}
	d.up("web", 3) // the old script serves again
}
