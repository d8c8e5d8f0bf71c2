//go:build !linux

package process

import (
	"os"
	"os/signal"
	"syscall"
)

// CleanSignals makes sure that HUP and INT are not ignored for children. It is
// called first thing, and reports whether HUP was ignored at first, as under
// nohup. After an error the program must end.
func CleanSignals() (hupIgnored bool, err error) {
	nobody := make(chan os.Signal, 1)
	hupIgnored = signal.Ignored(syscall.SIGHUP)
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) {
			signal.Notify(nobody, sig)
		}
	}
	return hupIgnored, nil
}
