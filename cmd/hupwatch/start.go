package main

import (
	"github.com/spf13/cobra"

	"hupwatch/runner/control"
)

func (p *program) start() *cobra.Command {
	return p.verb(control.VerbStart, &cobra.Command{
		Short: "start services, and keep them up from now on",
		Long: `Start services that are stopped, failed or in backoff, and want them up from now
on, whatever autostart says. The configuration is read first. One that runs
already is left alone.`,
		Annotations: verbExits("they run", "some do not; why is said", "no such service"),
		Example:     "  hupwatch start web",
	})
}

func (p *program) stop() *cobra.Command {
	return p.verb(control.VerbStop, &cobra.Command{
		Short: "stop services gracefully, and keep them down",
		Long: `Stop services: the stop signal, time to finish their work, KILL at stop_timeout.
They stay down, also over a reload, until hupwatch start, or until hupwatch itself
is started anew (see autostart).`,
		Annotations: verbExits("they are stopped", "some are not", "no such service"),
		Example:     "  hupwatch stop web\n  hupwatch stop all",
	})
}

func (p *program) restart() *cobra.Command {
	return p.verb(control.VerbRestart, &cobra.Command{
		Short: "stop services, then start them: with a gap",
		Long: `Stop services and start them again, with the configuration of now. For a time
nothing serves: that is for a service that must be seen to be gone first. With
listen, clients wait meanwhile, as many as backlog says. To replace it with no
lost request: hupwatch reload.`,
		Annotations: verbExits("they run again", "some do not; why is said", "no such service"),
		Example:     "  hupwatch restart worker",
	})
}
