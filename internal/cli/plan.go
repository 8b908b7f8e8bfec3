package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
)

// PlanOptions are what plan needs.
type PlanOptions struct {
	Factory *Factory
	Request engine.PlanRequest
	Params  []string // name=value
	Format  format
	Length  length
	Written written
}

// NewCmdPlan makes a plan and prints it.
func NewCmdPlan(f *Factory, runF func(context.Context, *PlanOptions) error) *cobra.Command {
	opts := &PlanOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "plan COMPONENT",
		Short: "Show what a component version would change, where and in which order",
		Long: `Resolve a component version, a pipeline and the fleet into units in their order, with their risk,
batches and checks; render the component for every cluster and compare it with what is there; print
all of it, and store it under its hash. Nothing is changed in any cluster.

A plan narrowed with --only or --exclude so that it goes past a stage which this version has not
passed says so at its top, and needs a --reason, here or when it is run.

Clusters in which the same changes, but for their own name, region and the like, are one group. On a
terminal a plan that is longer than the screen is printed as its summary; --full prints all of it.

With --format markdown it is written for a comment of a forge or the summary of a job: what others wrote is
quoted as code, and where there is no room for all of it, what is left out is counted at its end.

Exits 2 where a file is wrong or a template does not render, 3 where a rule refuses the plan.`,
		Example: `  sluice plan node-agent --to 2.0.0 -f examples
  sluice plan node-agent --to 2.0.0 -f examples --only canary,prod-eu-1 --summary
  sluice plan node-agent --to 2.0.0 -f examples --exclude canary --reason "canary is being rebuilt"
  sluice plan node-agent --to 2.0.0 -f examples --pipeline careful -p maxRestarts=1 -o json
  sluice plan node-agent --to 2.0.0 -f examples --format markdown > comment.md`,
		Args: exactly("COMPONENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Request.Component = args[0]
			if err := opts.complete(cmd); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return planRun(cmd.Context(), opts)
		},
	}
	opts.addFlags(cmd)
	opts.Length.addFlags(cmd)
	opts.Written.addFlags(cmd)
	addOutput(cmd, &opts.Format)
	return cmd
}

// planFlags name the flags by which a plan is made.
func planFlags() []string { return []string{"file", "to", "pipeline", "param", "only", "exclude"} }

// addPipelineFlags adds the flags for the files and the pipeline.
func (o *PlanOptions) addPipelineFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.Request.Paths, "file", "f", nil, "`PATH` of a file or folder to read; may be repeated (default .)")
	flags.StringVar(&o.Request.Pipeline, "pipeline", "", "`NAME` of the pipeline (default: the component's)")
	flags.StringArrayVarP(&o.Params, "param", "p", nil, "`NAME=VALUE` of a param of the pipeline; may be repeated")
}

func (o *PlanOptions) addFlags(cmd *cobra.Command) {
	o.addPipelineFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.Request.Version, "to", "", "`VERSION` of the component, where the files have several")
	flags.StringSliceVar(&o.Request.Only, "only", nil, "`NAMES` of the clusters and cluster groups to narrow the run to")
	flags.StringSliceVar(&o.Request.Exclude, "exclude", nil, "`NAMES` of the clusters and cluster groups to leave out of the run")
	flags.StringVar(&o.Request.Reason, "reason", "", "`TEXT` for the audit; a run past a stage that the version has not passed needs one")
}

// complete fills in what flags leave open.
func (o *PlanOptions) complete(cmd *cobra.Command) error {
	if len(o.Request.Paths) == 0 {
		o.Request.Paths = []string{"."}
	}
	var err error
	if o.Request.Params, err = paramsOf(cmd, o.Params); err != nil {
		return err
	}
	o.Request.By = o.Factory.Who()
	if err := o.Written.complete(cmd); err != nil {
		return err
	}
	return o.Length.complete(cmd)
}

// paramsOf reads what the flags --param say.
func paramsOf(cmd *cobra.Command, flags []string) (map[string]string, error) {
	params := map[string]string{}
	for _, p := range flags {
		name, value, said := strings.Cut(p, "=")
		if !said || name == "" {
			return nil, usage(cmd, "cannot read --param %q: write NAME=VALUE", p)
		}
		if _, twice := params[name]; twice {
			return nil, usage(cmd, "param %s is given twice", name)
		}
		params[name] = value
	}
	return params, nil
}

func planRun(ctx context.Context, o *PlanOptions) error {
	planned, err := o.make(ctx)
	if err != nil {
		return err
	}
	return o.conclude(planned)
}

// conclude ends what prints a plan: with why it cannot run, or with what comes next.
func (o *PlanOptions) conclude(planned *engine.Planned) error {
	if o.Written.markdown {
		return planned.Refused()
	}
	if err := o.refused(planned); err != nil || o.Format != asText {
		return err
	}
	_, err := fmt.Fprintf(o.Factory.Out, "\nnothing was changed; %s\n", o.Factory.next(planned))
	return err
}

// refused says why a plan that was just printed cannot run. Where people have read the refusals in it, they are not said
// again.
func (o *PlanOptions) refused(planned *engine.Planned) error {
	if o.Format == asText {
		for _, line := range planned.ToBypass(o.Factory.program()) {
			if _, err := fmt.Fprintf(o.Factory.Out, "\n%s\n", line); err != nil {
				return err
			}
		}
		return planned.RefusedShortly()
	}
	return planned.Refused()
}

// make makes the plan and prints it. A plan that is refused is printed too.
func (o *PlanOptions) make(ctx context.Context) (*engine.Planned, error) {
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return nil, err
	}
	planned, err := e.Plan(ctx, o.Request)
	if err != nil {
		return nil, err
	}
	if o.Written.markdown {
		return planned, o.Factory.writePlan(ctx, e, planned, o.Written.limit)
	}
	return planned, o.Factory.printPlan(ctx, o.Format, o.Length, e, planned)
}
