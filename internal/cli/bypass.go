package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
)

// newCmdBypass lets one plan pass what holds it.
func newCmdBypass(f *Factory) *cobra.Command {
	req := engine.BypassRequest{}
	var out format
	cmd := &cobra.Command{
		Use:   "bypass FREEZE|policy/NAME RUN|PLAN",
		Short: "Let one plan pass a freeze or a policy that holds it, as a second person",
		Long: `Let one plan, and the runs of it, pass one freeze or one policy; what else holds it still does, and no other
plan passes. It takes another person than the one who made the plan and the one who started the run, and a
reason. A plan that has not started yet can be started then. An open run goes on within seconds.

What was rolled back is not let pass this way: whoever knows that it is good lifts its freeze.`,
		Example: `  sluice bypass freeze-3 node-agent-7 --reason "the fix for what the freeze is about"
  sluice bypass policy/red-lines 3f2a9c01d2e4 --reason "agreed in the incident call"`,
		Args: exactly("FREEZE or policy/NAME", "RUN or PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Of, req.For, req.By = args[0], args[1], f.Who()
			if req.Reason == "" {
				return usage(cmd, "--reason is missing: whoever reads the audit has to know why")
			}
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			passed, err := e.Bypass(cmd.Context(), req)
			if err != nil {
				return err
			}
			return out.print(f.Out, passed, func() error { return printPassed(f, passed) })
		},
	}
	cmd.Flags().StringVar(&req.Reason, "reason", "", "`TEXT` for the audit, and for whoever sees it pass (needed)")
	addOutput(cmd, &out)
	return cmd
}

func printPassed(f *Factory, passed engine.LetPass) error {
	lines := []string{fmt.Sprintf("plan %.12s may pass %s", passed.Plan, passed.Bypass)}
	for _, h := range passed.Still {
		lines = append(lines, "  still held by "+h.String())
	}
	return printTold(f, lines, passed.Untold)
}
