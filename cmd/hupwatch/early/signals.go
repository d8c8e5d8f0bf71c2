// Package early catches the signals to hupwatch from its first moments on. As
// PID 1, or right after an exec, a signal that is not caught yet would be lost, or
// would end hupwatch. So this is a leaf that imports only os, os/signal and syscall,
// and is initialised before nearly everything else.
package early

import (
	"os"
	"os/signal"
	"syscall"
)

// nohupVariable keeps HUPIgnored over an exec of hupwatch by itself.
const nohupVariable = "HUPWATCH_NOHUP"

// HUPIgnored reports whether HUP was ignored at first, as under nohup.
var HUPIgnored = hupIgnored() // before anything catches it

func hupIgnored() bool {
	if signal.Ignored(syscall.SIGHUP) {
		os.Setenv(nohupVariable, "1")
	}
	return os.Getenv(nohupVariable) != ""
}

// The signals, each in a channel of its own: a storm of one cannot push out
// another. Several that come while one waits count as one.
var (
	HUP  = catch(syscall.SIGHUP)
	USR1 = catch(syscall.SIGUSR1)
	USR2 = catch(syscall.SIGUSR2)
	TERM = catch(syscall.SIGTERM)
	QUIT = catch(syscall.SIGQUIT)
	INT  = catch(syscall.SIGINT)
	// PIPE is caught so that a log collector that went away does not end
	// hupwatch; a write to it fails instead. It is not ignored: a child would
	// inherit that.
	PIPE = catch(syscall.SIGPIPE)
)

func catch(sig os.Signal) chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, sig)
	return c
}

// Release gives the signals their default meaning back: they end a command that is
// not the daemon, as they end any other program.
func Release() {
	for _, c := range []chan os.Signal{HUP, USR1, USR2, TERM, QUIT, INT, PIPE} {
		signal.Stop(c)
	}
}
