package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
)

// newCmdCatchUp plans what brings clusters that joined, or were missed, to what the others run.
func newCmdCatchUp(f *Factory) *cobra.Command {
	opts := &PlanOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "catch-up COMPONENT",
		Short: "Plan the last version that went all the way for the clusters that it has not reached",
		Long: `Find the last version of a component that went all the way: its run succeeded, left no cluster out,
had no failed unit and was not taken back. Plan it for the clusters that it has not reached: those that
joined since, and those that were out of reach or left out. The plan is printed and stored, as by plan.

Clusters into which something was deployed since are left as they are, and named. The files have to say
by that version what they said then.

Exits 1 where no version went all the way yet, 3 where the files say something else by it or a rule
refuses the plan.`,
		Example: `  sluice catch-up node-agent -f examples`,
		Args:    exactly("COMPONENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Request.Component = args[0]
			if err := opts.complete(cmd); err != nil {
				return err
			}
			return catchUpRun(cmd.Context(), opts)
		},
	}
	opts.addPipelineFlags(cmd)
	cmd.Flags().StringVar(&opts.Request.Reason, "reason", "", "`TEXT` for the audit")
	opts.Length.addFlags(cmd)
	addOutput(cmd, &opts.Format)
	return cmd
}

func catchUpRun(ctx context.Context, o *PlanOptions) error {
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return err
	}
	found, err := e.CatchUp(ctx, o.Request)
	if err != nil {
		return err
	}
	err = o.Format.print(o.Factory.Out, found, func() error {
		_, err := shown{o.Factory.Out}.Write([]byte(caughtUp(found)))
		if err != nil || found.Planned == nil {
			return err
		}
		return o.Factory.printPlan(ctx, o.Format, o.Length, e, found.Planned)
	})
	if err != nil || found.Planned == nil {
		return err
	}
	return o.conclude(found.Planned)
}

// caughtUp says which version went all the way, and who has not got it.
func caughtUp(c *engine.CatchUp) string {
	var out strings.Builder
	run := c.Through
	fmt.Fprintf(&out, "%s %s went all the way with %s, which ended at %s\n", run.Subject, run.Version, run.Name, stamp(run.Ended))
	if len(c.Behind) == 0 {
		out.WriteString("no cluster is behind it\n")
	} else {
		fmt.Fprintf(&out, "%s behind: %s\n", api.Counted(len(c.Behind), "cluster"), strings.Join(c.Behind, ", "))
	}
	for _, other := range c.Others {
		fmt.Fprintf(&out, "left as it is: %s\n", other)
	}
	if c.Planned != nil {
		out.WriteString("\n")
	}
	return out.String()
}
