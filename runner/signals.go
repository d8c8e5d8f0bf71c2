package runner

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"hupwatch/services"
)

// signals are the signals to hupwatch, each in a channel of its own: a storm of
// one cannot push out another. A signal is a level, not a count: as many as come
// while one waits are one.
type signals struct {
	hup, usr1, usr2, term, quit, interrupt, pipe chan os.Signal
}

// catchSignals begins to catch them. What is caught is not lost: it waits for
// dispatch.
func catchSignals() *signals {
	return &signals{
		hup:       catch(syscall.SIGHUP),
		usr1:      catch(syscall.SIGUSR1),
		usr2:      catch(syscall.SIGUSR2),
		term:      catch(syscall.SIGTERM),
		quit:      catch(syscall.SIGQUIT),
		interrupt: catch(syscall.SIGINT),
		// Caught so that a log collector that went away does not end hupwatch; a
		// write to it fails instead. Not ignored: a child would inherit that.
		pipe: catch(syscall.SIGPIPE),
	}
}

func catch(sig os.Signal) chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, sig)
	return c
}

// release gives the signals their default meaning back.
func (s *signals) release() {
	for _, c := range []chan os.Signal{s.hup, s.usr1, s.usr2, s.term, s.quit, s.interrupt, s.pipe} {
		signal.Stop(c)
	}
}

// dispatch passes the signals on to the fleet until ctx is done.
func (s *signals) dispatch(ctx context.Context, f *fleet) error {
	interrupts := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.hup:
			f.hangup()
		case <-s.usr2:
			f.names()
		case <-s.usr1:
			f.host.Events.Publish(services.Event{Kind: services.KindIgnored, By: "signal USR1", Reason: "hupwatch writes no files of its own to reopen"})
		case <-s.term:
			f.stop("TERM")
		case <-s.quit:
			f.stop("QUIT")
		case <-s.interrupt:
			f.stop("INT")
			if interrupts++; interrupts > 1 {
				f.kill()
			}
		case <-s.pipe:
		}
	}
}
