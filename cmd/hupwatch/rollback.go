package main

import (
	"github.com/spf13/cobra"

	"hupwatch/runner/control"
)

func (p *program) rollback() *cobra.Command {
	v := &verb{program: p, name: control.VerbRollback}
	cmd := &cobra.Command{
		Short: "go back to the release before, as a reload does",
		Long: `Go back to the release that served before this one: its whole configuration,
directory and environment, started first and proven as in any reload, so that no
request is lost. It is the newest that served well and is not the one that serves;
hupwatch status NAME lists the releases that are known, --to names one of them: to go
back twice, name the second. A later reload, or start of hupwatch, goes forward again,
to what the file says then: correct that first.`,
		Annotations: exits("0  the release before serves", "1  it failed, or its end was not waited for; what serves is said",
			"2  bad usage; nothing was touched",
			"3  no such service, or it is stopped", "4  hupwatch cannot be reached, or refuses", "Of several the highest counts."),
		Example: "  hupwatch rollback web\n  hupwatch rollback web --to 20260301-0312",
	}
	v.define(cmd)
	flags := cmd.Flags()
	flags.StringVar(&v.q.To, "to", "", "the release in this `DIR`; the end of its path will do")
	flags.BoolVar(&v.q.NoDrain, "no-drain", false, "do not wait for the old processes to finish their work")
	flags.BoolVar(&v.q.Probation, "probation", false, "wait until what was started cannot be taken back any more")
	flags.Var(&v.timeout, "timeout", "wait no longer than `D`: 90s, 2m; it goes on")
	return cmd
}
