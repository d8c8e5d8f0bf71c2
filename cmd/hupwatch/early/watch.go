package early

import (
	"os"
	"os/signal"
)

// Watch catches signals for a command that is not the daemon, after Release,
// until stop is called. Several that come while one waits count as one, so signals
// of different meaning need a Watch each.
func Watch(signals ...os.Signal) (caught <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, signals...)
	return c, func() { signal.Stop(c) }
}
