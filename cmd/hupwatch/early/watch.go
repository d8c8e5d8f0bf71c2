package early

import (
	"os"
	"os/signal"
)

// Watch catches signals for a command that is not the daemon, after Release,
// until stop is called. As many as come while one waits are one, so those that
// mean something else need another Watch.
func Watch(signals ...os.Signal) (caught <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, signals...)
	return c, func() { signal.Stop(c) }
}
