package main

import (
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// essential is a section whose service is a shell that does this: it starts much
// faster than the test binary, and dies of every signal.
func essential(name, script string, keys ...string) string {
	section := fmt.Sprintf("[services.%s]\ncommand = [\"sh\", \"-c\", '''%s''']\nessential = true\n", name, script)
	for _, key := range keys {
		section += key + "\n"
	}
	return section
}

// endsWith starts hupwatch and expects it to end by itself with that code.
func endsWith(t *testing.T, want int, config string) *daemon {
	t.Helper()
	d := startDaemon(t, config)
	if code := d.wait(); code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	return d
}

func TestTheExitCodeOfAnEssentialServiceIsThatOfHupwatch(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 1, 2, 3, 4, 5, 6, 7, 64, 77, 78, 100, 124, 125, 126, 127, 128, 129, 130, 137, 143, 192, 254, 255} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			endsWith(t, code, quick+essential("main", fmt.Sprintf("exit %d", code), `warmup = "0s"`))
		})
	}
}

// harmless are the signals whose default is not the end.
var harmless = []syscall.Signal{
	syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGURG, syscall.SIGWINCH,
}

func TestEverySignalThatEndsAnEssentialServiceIs128AndItsNumber(t *testing.T) {
	t.Parallel()
	signals := []syscall.Signal{34, 63, 64} // the realtime ones, where there are any
	for sig := syscall.Signal(1); sig < 32; sig++ {
		if !slices.Contains(harmless, sig) {
			signals = append(signals, sig)
		}
	}
	for _, sig := range signals {
		t.Run(strconv.Itoa(int(sig)), func(t *testing.T) {
			t.Parallel()
			endsWith(t, 128+int(sig), quick+essential("main", fmt.Sprintf("ulimit -c 0; kill -%d $$$$", sig), `warmup = "0s"`))
		})
	}
}

func TestTheEndOfAnEssentialServiceStopsTheOthers(t *testing.T) {
	t.Parallel()
	for _, warmup := range []string{"0s", "1h"} {
		t.Run("with a warm-up of "+warmup, func(t *testing.T) {
			t.Parallel()
			d := startDaemon(t, quick+service("web", "serve")+service("main", "say serving; gate g; exit 42", "essential = true", fmt.Sprintf("warmup = %q", warmup)))
			d.up("web", 1)
			d.serving("main", 1)
			d.open("g")
			if code := d.wait(); code != 42 {
				t.Errorf("exit code %d, want 42", code)
			}
			d.says("got TERM", "web", 1)
			d.sees("msg=generation exited", "service=web", "exit=exited with status 0")
			d.sees("msg=stopping all services", "reason=the essential service main is down for good")
			d.neverKilled()
		})
	}
}

func TestEndOfAnEssentialServiceKillsAtShutdownTimeout(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "shutdown_timeout = \"300ms\"\n"+quick+
		service("deaf", "ignore TERM; say deaf; hang", `stop_timeout = "infinity"`)+
		service("main", "say serving; gate g; exit 42", "essential = true"))
	d.says("deaf", "deaf", 1)
	d.up("main", 1)
	d.open("g")
	if code := d.wait(); code != 42 {
		t.Errorf("exit code %d, want 42", code)
	}
	d.sees("msg=generation killed", "service=deaf")
}

func TestAnEssentialServiceThatCannotStartEndsHupwatchAsAShellWould(t *testing.T) {
	t.Parallel()
	d := endsWith(t, 127, quick+"[services.main]\ncommand = [\"/no/such/program\"]\nessential = true\n")
	d.sees("msg=start failed", "service=main")
}

func TestAnEssentialServiceThatMayRestartDoesSo(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("main", "say serving; gate g${HUPWATCH_GENERATION}; exit ${HUPWATCH_GENERATION}",
		"essential = true", `restart = "on-failure"`, "success_exit_codes = [2]"))
	d.up("main", 1)
	d.open("g1")
	d.up("main", 2)
	d.open("g2")
	if code := d.wait(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
}

func TestAnEssentialServiceGivenUpEndsHupwatchWithItsLastCode(t *testing.T) {
	t.Parallel()
	d := endsWith(t, 3, quick+essential("main", "exit $$HUPWATCH_GENERATION", failing, `restart = "always"`, "restart_limit = 3", `restart_delay = "1ms"`))
	d.sees("msg=given up", "service=main")
}

func TestTermWhileAnEssentialServiceRunsIsACleanStop(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("main", "serve; exit 9", "essential = true"))
	d.up("main", 1)
	d.ends(syscall.SIGTERM, soon)
	d.sees("msg=generation exited", "exit=exited with status 9")
}

func TestABadReleaseOfAnEssentialServiceEndsNothing(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("main", "serve", "essential = true"))
	pid := d.up("main", 1)
	d.configure(quick + service("main", "exit 42", "essential = true", failing))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "kept_old=1")
	if !alive(pid) {
		t.Errorf("the old one is gone")
	}
	d.ends(syscall.SIGTERM, soon)
}
