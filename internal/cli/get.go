package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
)

// GetOptions are what get needs for a run or a plan.
type GetOptions struct {
	Factory *Factory
	Name    string
	Watch   bool
	Format  format
	Length  length
}

// NewCmdGet shows runs, plans, clusters and the audit.
func NewCmdGet(f *Factory) *cobra.Command {
	opts := &GetOptions{Factory: f}
	cmd := &cobra.Command{
		Use: "get RUN|PLAN|runs|plans|clusters|workers|agents|audit|freezes|policies|fuses|limits|fleet|drills|permits|sources|" +
			"notifications|catalog|probes|probebindings|pipelinerun|taskrun",
		Short: "Show a run or a plan, or list runs, plans, clusters and the audit",
		Long: `Show where a run is, as a tree of stages, units and batches; or a plan, by its hash or the first
characters of it; or a list. With -w, a run's tree is drawn anew until the run ends; piped, every change
is a line; with -o json, a line of JSON for each change, and with -o yaml a document.`,
		Example: `  sluice get node-agent-2
  sluice get node-agent-2 -w
  sluice get node-agent-2 -w -o json
  sluice get 3f2a9c01d2e4 -o yaml
  sluice get clusters node-agent`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exactly("RUN or PLAN")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, "RUN or PLAN is missing")
			}
			opts.Name = args[0]
			if err := opts.Length.complete(cmd); err != nil {
				return err
			}
			return getRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVarP(&opts.Watch, "watch", "w", false, "follow the run until it ends")
	opts.Length.addFlags(cmd)
	addOutput(cmd, &opts.Format)
	cmd.AddCommand(
		newCmdGetRuns(f), newCmdGetPlans(f), newCmdGetClusters(f), newCmdGetWorkers(f), newCmdGetAgents(f),
		newCmdGetAudit(f), newCmdGetFreezes(f),
		newCmdGetPolicies(f), newCmdGetFuses(f), newCmdGetLimits(f), newCmdGetFleet(f), newCmdGetBindings(f), newCmdGetDrills(f),
		newCmdGetSources(f), newCmdGetPermits(f), newCmdGetNotifications(f), newCmdGetPipelineRun(f), newCmdGetTaskRun(f), newCmdGetCatalog(f),
		newCmdGetProbes(f), newCmdGetProbeBindings(f),
	)
	return cmd
}

func getRun(ctx context.Context, o *GetOptions) error {
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return err
	}
	view, err := e.Status(ctx, o.Name)
	if fault.CodeOf(err) == fault.NotFound && aHash.MatchString(o.Name) {
		return o.plan(ctx, e)
	}
	if err != nil {
		return err
	}
	if o.Watch {
		return o.follow(ctx, e)
	}
	if view.Blame, err = e.Blame(ctx, view); err != nil {
		return err
	}
	return o.Format.print(o.Factory.Out, view, func() error { return o.Factory.printTree(ctx, e, view) })
}

// follow watches a run. That its watcher goes away is no failure of anything.
func (o *GetOptions) follow(ctx context.Context, e Engine) error {
	view, err := o.Factory.watch(ctx, e, o.Name, o.Format, toTheEnd)
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if o.Format != asText || view.Phase.Final() {
		return nil
	}
	_, err = fmt.Fprintf(o.Factory.Out, "%s goes on without its watcher\n", view.Name)
	return err
}

func (o *GetOptions) plan(ctx context.Context, e Engine) error {
	planned, err := e.ShowPlan(ctx, o.Name)
	if err != nil {
		return err
	}
	if o.Watch {
		return fault.New(fault.Invalid, "cannot watch plan %.12s: it does not change", planned.Hash)
	}
	return o.Factory.printPlan(ctx, o.Format, o.Length, e, planned)
}
