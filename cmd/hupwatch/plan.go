package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

func (p *program) plan() *cobra.Command {
	var c *connection
	var asJSON, changed bool
	cmd := &cobra.Command{
		Use: "plan", Short: "show what a reload would do now; changes nothing",
		Long: `Show what kill -HUP would do now to each service, and why: what is new about it.
With --changed, what hupwatch reload --changed would do. Nothing is changed, nothing
is started.`,
		Annotations: exits(
			"0  it would do this",
			"1  some could not even be started, and would be kept old",
			"2  it would do nothing: the configuration has problems, or most of it is gone",
			"4  hupwatch cannot be reached, or refuses"),
		Example: "  hupwatch plan",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client()
			if err != nil {
				return err
			}
			plan, err := client.Plan(cmd.Context())
			if err != nil {
				return unanswered(err)
			}
			if changed {
				skipWhatIsNotNew(plan)
			}
			p.printPlan(plan, asJSON)
			return ended(exitOfPlan(plan))
		},
	}
	cmd.Flags().BoolVar(&changed, "changed", false, "what a reload of only what has changed would do")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	c = connects(cmd)
	return cmd
}

func skipWhatIsNotNew(plan control.Plan) {
	for i := range plan.Services {
		if s := &plan.Services[i]; s.NothingNew && s.Action == control.ActionReload {
			s.Action, s.Why, s.Notes = control.ActionSkip, "nothing new", nil
			if len(s.Changed) > 0 { // the keys that changed need no new process
				s.Why = "nothing new to start with"
			}
		}
	}
}

func (p *program) printPlan(plan control.Plan, asJSON bool) {
	if asJSON {
		_ = control.NewEncoder(p.stdout).Encode(plan)
		return
	}
	for _, line := range screen.Plan(plan, newDisplay(p.stdout).style()) {
		fmt.Fprintln(p.stdout, line)
	}
}

func exitOfPlan(plan control.Plan) int {
	switch {
	case len(plan.Problems) > 0:
		return exitUsage
	case slices.ContainsFunc(plan.Services, func(s control.PlanService) bool { return s.Error != "" }):
		return exitOther
	}
	return exitDone
}
