package runner

import (
	"context"
	"os"

	"hupwatch/services/lifecycle"
)

// Signals are the signals to the daemon, each in a channel of its own with room
// for one.
type Signals struct {
	HUP, USR1, USR2, TERM, QUIT, INT <-chan os.Signal
}

// dispatch passes the signals on to the supervisor until ctx is done. It decides
// nothing but what a HUP is: the end of the terminal hupwatch runs in, or a
// reload.
func (s *Signals) dispatch(ctx context.Context, all *supervisor, tty *terminal, oneService bool) error {
	defer tty.close()
	interrupts := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.HUP:
			if tty.hungUp() {
				all.stop("INT")
				continue
			}
			all.hangup()
		case <-s.USR2:
			if oneService {
				all.hangup()
				continue
			}
			all.names()
		case <-s.USR1:
			all.host.Output.Reopen()
			all.host.Events.Publish(lifecycle.Event{Kind: lifecycle.KindReopened, By: "signal USR1"})
		case <-s.TERM:
			all.stop("TERM")
		case <-s.QUIT:
			all.stop("QUIT")
		case <-s.INT:
			if interrupts++; interrupts > 1 {
				all.kill()
				continue
			}
			all.stop("INT")
		case <-tty.continued():
			tty.look()
		}
	}
}
